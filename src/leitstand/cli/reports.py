"""The report on disk: whole or not at all, readable by its owner alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from leitstand.client import Client
from leitstand.core.problem import Exit, Problem
from leitstand.output import short

FILES = ("report.json", "report.html")
MARKS = {
    "report.json": b'"leitstand.report/',
    "report.html": b'<meta name="generator" content="Leitstand">',
}
BEGINNING_BYTES = 4096
"""Within its first bytes a report says that it is one."""
Report = Mapping[str, bytes]


def folder_of(out: str | None, job: str) -> Path:
    """`--out`, else `leitstand-out/<job>/`."""
    return Path(out) if out else Path("leitstand-out") / short(job)


def check_out(out: str | None) -> None:
    """Find out before the work whether the report can go there. Raises Problem."""
    if out is not None:
        make(Path(out))
        _only_reports(Path(out))


def fetch(client: Client, job: str) -> Report:
    """The report's files by name."""
    return {name: client.text(f"/jobs/{job}/{name}") for name in FILES}


def keep(report: Report, folder: Path) -> Path:
    """Write the files of a report into `folder`, all of them or none; the folder.

    Each gets its name in one step, once all are on the disk, so that nobody ever sees half of it; a
    report that stands there is replaced. Raises Problem: `unwritable-path`, `no-report-file`.
    """
    make(folder)
    _only_reports(folder)
    parts = {folder / name: folder / f".{name}.part" for name in report}
    path = folder
    try:
        for path, part in parts.items():
            _write(part, report[path.name])
        for path, part in parts.items():
            part.replace(path)
    except OSError as error:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    return folder


def _only_reports(folder: Path) -> None:
    """Somebody's own file that has the name of a report is not replaced by one."""
    for name, mark in MARKS.items():
        path = folder / name
        try:
            with path.open("rb") as stream:
                ours = mark in stream.read(BEGINNING_BYTES)
        except FileNotFoundError:
            continue
        except OSError:
            ours = False
        if not ours:
            raise Problem("no-report-file", Exit.USAGE, path=str(path))


def _write(part: Path, data: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def unwritable(path: Path, error: OSError) -> Problem:
    """What a failed write means to the person who named the path."""
    detail = error.strerror or str(error)
    return Problem("unwritable-path", Exit.FAILED, path=str(path), detail=detail)


def make(folder: Path) -> None:
    """The folder itself, before what goes into it. Raises Problem("unwritable-path")."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(
            "unwritable-path", Exit.USAGE, path=str(folder), detail=error.strerror or str(error)
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Problem("unwritable-path", Exit.USAGE, path=str(folder), detail=os.strerror(13))
