"""Which files a command means: paths and folders, in order, each once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leitstand.core import limits
from leitstand.core.problem import Exit, Problem


@dataclass(frozen=True, slots=True)
class Given:
    """A file to analyse. `name` is what people see; `named`: typed, not found in a folder."""

    path: Path
    name: str
    named: bool


@dataclass(slots=True)
class Gathered:
    """All files, and what went wrong on the way to them."""

    files: list[Given] = field(default_factory=list)
    problems: list[tuple[str, Problem]] = field(default_factory=list)


def gather(paths: Sequence[str], files_max: int = limits.FILES_MAX) -> Gathered:
    """Folders are walked in order of name; what begins with a dot is left out.

    A path that does not exist or cannot be read is a problem of its own; the rest is returned.
    Raises Problem: no-paths, too-many-files.
    """
    if not paths:
        raise Problem("no-paths", Exit.USAGE)
    out = Gathered()
    for text in paths:
        if not text:  # to Path it is the current folder, which nobody named
            out.problems.append(('""', Problem("not-found", Exit.USAGE, path='""')))
            continue
        path = Path(text)
        try:
            path.stat()
        except FileNotFoundError:
            out.problems.append((text, Problem("not-found", Exit.USAGE, path=text)))
            continue
        except (OSError, ValueError) as error:
            out.problems.append((text, unreadable(text, error)))
            continue
        if path.is_dir():
            _walk(path, out, files_max)
        else:
            out.files.append(Given(path, path.name, named=True))
        if len(out.files) > files_max:
            raise Problem("too-many-files", Exit.USAGE, count=len(out.files), limit=files_max)
    return _named_apart(out)


def unreadable(path: str, error: Exception) -> Problem:
    """A path that cannot be opened, with the system's reason."""
    detail = getattr(error, "strerror", None) or str(error)
    return Problem("unreadable-path", Exit.USAGE, path=path, detail=detail)


def _walk(folder: Path, out: Gathered, files_max: int) -> None:
    found = len(out.files)

    def failed(error: OSError) -> None:
        path = str(error.filename or folder)
        out.problems.append((path, unreadable(path, error)))

    before = len(out.problems)
    for root, folders, files in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root, name)
            if not name.startswith(".") and path.is_file():
                out.files.append(Given(path, name, named=False))
        if len(out.files) > files_max:
            return
    if len(out.files) == found and len(out.problems) == before:
        out.problems.append((str(folder), Problem("empty-folder", Exit.USAGE, path=str(folder))))


def _named_apart(out: Gathered) -> Gathered:
    """Two files of one name are told apart by their paths; one given twice is one file."""
    paths: dict[str, set[Path]] = {}
    for file in out.files:
        paths.setdefault(file.name, set()).add(file.path)
    out.files = [
        file if len(paths[file.name]) == 1 else Given(file.path, str(file.path), file.named)
        for file in out.files
    ]
    return out
