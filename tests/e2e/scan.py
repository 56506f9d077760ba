"""Look for canaries in files: as they lie there, unpacked, and row by row in databases."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.e2e.canaries import Canary

UNPACKED_MAX = 64 << 20
LAYERS_MAX = 3
BLOCK_BYTES = 4 << 20
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


class Needles:
    """Canaries, ready to be looked for in one pass over the bytes, however many they are."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._begins = np.zeros(1 << 24, np.bool_)
        self._forms: dict[bytes, list[tuple[bytes, str]]] = {}
        for canary in canaries:
            for form in canary.forms:
                self._begins[int.from_bytes(form[:3], "big")] = True
                named = (form, f"{canary.kind} {canary.name}")
                self._forms.setdefault(form[:3], []).append(named)

    def hits(self, data: bytes) -> set[str]:
        """Names of the canaries that are in these bytes, in any of their forms."""
        found = set()
        for start in range(0, len(data) - 2, BLOCK_BYTES):
            block = np.frombuffer(data[start : start + BLOCK_BYTES + 2], np.uint8).astype(np.uint32)
            begins = self._begins[block[:-2] << 16 | block[1:-1] << 8 | block[2:]]
            for at in (start + np.flatnonzero(begins)).tolist():
                for form, name in self._forms[data[at : at + 3]]:
                    if data.startswith(form, at):
                        found.add(name)
        return found


def scan(paths: Iterable[Path], canaries: Iterable[Canary]) -> dict[str, list[str]]:
    """Files that hold canaries, with which."""
    needles = Needles(canaries)
    found: dict[str, list[str]] = {}
    for path in paths:
        named = needles.hits(os.fsencode(path.name))
        for content in _contents(path):
            named |= needles.hits(content)
        if named:
            found[str(path)] = sorted(named)
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


@dataclass(frozen=True, slots=True)
class Shared:
    """What lay in the folders for temporary files of the whole machine, and until when."""

    entries: frozenset[Path] = field(
        default_factory=lambda: frozenset(path for folder in SHARED for path in folder.iterdir())
    )
    until: float = field(default_factory=time.time)

    def appeared(self) -> Iterator[Path]:
        """Files of this user written since, in entries that are new; those of tests excepted."""
        for path in Shared().entries - self.entries:
            if path.name.startswith("pytest-of-"):
                continue
            for file in (path,) if path.is_file() else below(path):
                with contextlib.suppress(OSError):
                    found = file.lstat()
                    if found.st_uid == os.getuid() and found.st_mtime >= self.until - 1:
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
