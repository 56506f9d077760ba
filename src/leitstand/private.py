"""Key files on disk: readable by their owner alone, and whole and durable or not there at all."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
from pathlib import Path

from leitstand.core.problem import Exit, Problem

_DRAFT = ".draft-"
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def folder(path: Path) -> None:
    """Make a folder of mode 0700. Raises `Problem("key-folder-readable")` on one that others can
    enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & _OTHERS:
        raise Problem("key-folder-readable", Exit.REFUSED, path=str(path))


def read(path: Path, bytes_max: int) -> bytes:
    """A file's content, cut after `bytes_max`. Raises `Problem("key-file-readable")` on one that
    others can read."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise Problem("key-file-readable", Exit.REFUSED, path=str(path))
        return file.read(bytes_max)


def write_new(path: Path, content: bytes) -> None:
    """A whole, durable file of mode 0600, or none; one that stands there already is kept."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=_DRAFT)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give_name(draft, path, parent)
        os.fsync(parent)
    finally:
        Path(draft).unlink(missing_ok=True)
        os.close(parent)


def _give_name(draft: str, path: Path, parent: int) -> None:
    """A link replaces nothing. Where the file system has none (exFAT, some FUSE), a rename does,
    so there its folder is locked first; whoever else writes there takes the same way."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        fcntl.flock(parent, fcntl.LOCK_EX)
        if not path.exists():
            Path(draft).rename(path)


def remove_drafts(path: Path) -> None:
    """What a crash left of files that were being written into a folder."""
    for draft in path.glob(_DRAFT + "*"):
        draft.unlink(missing_ok=True)
