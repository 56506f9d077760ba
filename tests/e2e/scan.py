"""Look for canaries in files: as they lie there, unpacked, and row by row in databases."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psutil

from tests.e2e.canaries import Canary

UNPACKED_MAX = 64 << 20
LAYERS_MAX = 3
SHARED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
OPENINGS = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF",
    b"\x89PNG\r\n\x1a\n",
    b"WEBPVP8",
    b"WAVEfmt ",
    b"\x82\x88matroska",
)
"""How files of pictures, sound and segments begin: a copy that was encoded anew holds no canary."""
_GZIP = b"\x1f\x8b\x08"
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_SQLITE = b"SQLite format 3\0"


def hits(data: bytes, canaries: Iterable[Canary]) -> list[str]:
    """Names of the canaries that are in these bytes, in any of their forms."""
    return [
        f"{canary.kind} {canary.name}"
        for canary in canaries
        if any(form in data for form in canary.forms)
    ]


def scan(paths: Iterable[Path], canaries: Sequence[Canary]) -> dict[str, list[str]]:
    """Files that hold canaries, with which."""
    found: dict[str, list[str]] = {}
    for path in paths:
        named = hits(os.fsencode(path.name), canaries)
        for content in _contents(path):
            named += hits(content, canaries)
        if named:
            found[str(path)] = sorted(set(named))
    return found


def openings(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Files that hold the beginning of a picture, a sound or a segment."""
    found: dict[str, list[str]] = {}
    for path in paths:
        for content in _contents(path):
            seen = [repr(opening) for opening in OPENINGS if opening in content]
            if seen:
                found[str(path)] = seen
    return found


def _contents(path: Path) -> Iterator[bytes]:
    """What a file holds; one that is gone by now holds nothing."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        data = path.read_bytes()
        yield from layers(data)
        if data.startswith(_SQLITE):
            yield from rows(path)


def layers(data: bytes, depth: int = LAYERS_MAX) -> Iterator[bytes]:
    """The bytes, and what is packed in them with gzip anywhere or zlib from the beginning."""
    yield data
    if depth == 0:
        return
    at = data.find(_GZIP)
    while at >= 0:
        yield from _unpacked(data[at:], 31, depth)
        at = data.find(_GZIP, at + 1)
    if data.startswith(_ZLIB):
        yield from _unpacked(data, 15, depth)


def _unpacked(data: bytes, window: int, depth: int) -> Iterator[bytes]:
    with contextlib.suppress(zlib.error):
        inner = zlib.decompressobj(window).decompress(data, UNPACKED_MAX)
        yield from layers(inner, depth - 1)


def rows(database: Path) -> Iterator[bytes]:
    """Every value of every table, whole: a long one lies in pieces in the file.

    A copy is read, with its log ahead: reading takes room on the disk, and there may be none.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.db")
        for end in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{database}{end}", f"{copy}{end}")
        with contextlib.closing(sqlite3.connect(copy)) as open_:
            open_.text_factory = bytes
            tables = open_.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in open_.execute(f'SELECT * FROM "{table.decode()}"'):
                    yield from values(row)


def values(row: Iterable[object]) -> Iterator[bytes]:
    """The values of a row that can hold a canary, packed ones unpacked."""
    for value in row:
        if isinstance(value, bytes | memoryview):
            yield from layers(bytes(value))
        elif value is not None:
            yield str(value).encode()


# --- where to look ---------------------------------------------------------------------------------


def below(*roots: Path) -> Iterator[Path]:
    """Every regular file below the folders, links not followed."""
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(path.lstat().st_mode):
                        yield path


def shared_entries() -> set[Path]:
    """What lies in the folders for temporary files of the whole machine."""
    return {path for folder in SHARED for path in folder.iterdir()}


def appeared(before: set[Path]) -> Iterator[Path]:
    """Files of this user in entries that are new there since `before`; those of tests excepted."""
    new = [path for path in shared_entries() - before if not path.name.startswith("pytest-of-")]
    for path in new:
        for file in (path,) if path.is_file() else below(path):
            with contextlib.suppress(OSError):
                if file.lstat().st_uid == os.getuid():
                    yield file


def deleted_but_open(processes: Iterable[psutil.Process]) -> Iterator[Path]:
    """Files without a name that processes still hold on a disk, as far as this user may look.

    Memory files are no files on a disk.
    """
    for process in processes:
        with contextlib.suppress(OSError):
            for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    target = str(descriptor.readlink())
                    if target.endswith(" (deleted)") and not target.startswith("/memfd:"):
                        yield descriptor
