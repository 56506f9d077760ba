"""An installation on a disk of its own that can be filled: a tmpfs in a mount namespace."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from leitstand.folders import Folders
from tests import weights
from tests.e2e.installation import Installation

DISK_MIB = 64
_MOUNT = 'mount -t tmpfs -o size="$2" leitstand "$1" && echo mounted && exec cat'
_UNSHARE = ("unshare", "--mount", "--map-root-user", "sh", "-c")
_ENTER = 'cd "$1" && shift && exec "$@"'


class SmallDisk(Installation):
    """Its home and its working folder share a disk of `DISK_MIB`; seen from outside below
    `/proc/<holder>/root`."""

    def __init__(self, folder: Path, holder: int) -> None:
        seen = Path(f"/proc/{holder}/root{folder}")
        super().__init__(seen, weights.models().folder)
        self._holder = holder
        self._inside = folder
        self.environment["LEITSTAND_HOME"] = str(folder / "home")
        self.environment["HOME"] = str(folder / "nobody-writes-here")
        self.folders = Folders.find({"LEITSTAND_HOME": str(self.home)})

    def command(self, *arguments: str | Path) -> list[str]:
        enter = ["nsenter", f"--target={self._holder}", "--user", "--mount"]
        enter += ["--preserve-credentials", "sh", "-c", _ENTER, "sh", f"{self._inside}/work"]
        return [*enter, *super().command(*arguments)]

    def processes(self) -> list[psutil.Process]:
        inside, self.home = self.home, self._inside / "home"
        try:
            return super().processes()
        finally:
            self.home = inside

    def fill(self, leave: int = 0) -> None:
        """Take all room but `leave` bytes."""
        free = os.statvfs(self.home)
        room = free.f_bavail * free.f_frsize - leave
        filler = self.home.parent / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while room > 0:
                room -= file.write(bytes(min(room, 1 << 16)))

    def empty(self) -> None:
        """Give back what `fill` took."""
        (self.home.parent / "filler").unlink()


@contextlib.contextmanager
def small_disk() -> Iterator[SmallDisk]:
    """The disk exists until the block ends; whatever runs on it ends with it.

    Its folder has a short name, so that the socket of the control plane can be reached from here.
    """
    folder = Path(tempfile.mkdtemp(prefix="lsdisk-", dir="/tmp"))
    holder = subprocess.Popen(
        [*_UNSHARE, _MOUNT, "sh", str(folder), f"{DISK_MIB}m"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        with holder:
            assert holder.stdout.readline() == b"mounted\n"
            here = SmallDisk(folder, holder.pid)
            try:
                yield here
            finally:
                here.close()
                holder.stdin.close()
    finally:
        folder.rmdir()
