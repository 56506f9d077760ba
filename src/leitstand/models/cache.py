"""The content-addressed cache of model files: `folder/sha256/<hex>`, nothing half, nothing wrong.

A file appears under its digest only after its bytes are on disk, by one rename; so whatever stands
there was whole when it was written, and reading still checks it, because disks and people change
files. What was changed is evidence: it is moved to `folder/changed`, never removed. Several
processes may share the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from leitstand.core.problem import Problem

_SHOWN = 12
"""Characters of a digest in the name of a file that was set aside."""


class Changed(Exception):
    """A file did not have the content of its name and was set aside as `kept`, under the folder."""

    def __init__(self, expected: str, actual: str, kept: str) -> None:
        super().__init__(expected, actual, kept)
        self.expected = expected
        self.actual = actual
        self.kept = kept


class ModelCache:
    """Model files by SHA-256 under a folder, which is made at the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._content = folder / "sha256"
        self._incoming = folder / "incoming"
        self._changed = folder / "changed"

    def path(self, sha256: str) -> Path:
        """Where a file with this digest stands, or would."""
        return self._content / sha256

    def has(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def read(self, sha256: str) -> bytes:
        """The bytes whose SHA-256 this is.

        Raises Problem("model-missing") if it is not here, and Changed if its content is another
        one: then it is set aside, so that the next pull fetches it anew.
        """
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            raise Problem("model-missing", sha256=sha256) from None
        actual = hashlib.sha256(data).hexdigest()
        if actual != sha256:
            raise Changed(sha256, actual, self._set_aside(sha256, actual))
        return data

    def add(self, data: bytes) -> str:
        """Stores bytes durably and returns their SHA-256; storing them again changes nothing, and
        sets aside a file of that name with other content."""
        sha256 = hashlib.sha256(data).hexdigest()
        target = self.path(sha256)
        if target.is_file():
            try:
                self.read(sha256)
                return sha256
            except (Problem, Changed):
                pass  # gone since, or set aside
        self._content.mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=self._incoming)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)  # noqa: PTH101 - weights are public; workers may run as another user
            os.replace(name, target)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)  # noqa: PTH108
            raise
        _sync_folder(self._content)
        return sha256

    def sweep(self) -> None:
        """Removes what processes that no longer live left half written."""
        for path in self._incoming.glob("*-*"):
            owner = path.name.partition("-")[0]
            if owner.isdigit() and not _alive(int(owner)):
                path.unlink(missing_ok=True)

    def changed(self, sha256: str) -> list[Path]:
        """Files that were set aside because they were not the ones of this digest."""
        return sorted(self._changed.glob(f"{sha256[:_SHOWN]}.changed-*"))

    def _set_aside(self, sha256: str, actual: str) -> str:
        name = f"{sha256[:_SHOWN]}.changed-{actual[:_SHOWN]}"
        self._changed.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            os.replace(self.path(sha256), self._changed / name)  # noqa: PTH105
        _sync_folder(self._changed)
        return f"{self._changed.name}/{name}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut (POSIX: the folder is a file of its own)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
