"""Where the files of a worker lie on the control plane, named by their SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leitstand import __version__
from leitstand.core.problem import Problem

SCHEMA = "leitstand.boot/1"
MACHINE = "x86_64"
PIECE_BYTES = 1024 * 1024
_MANIFEST = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Wheel:
    """One file that a fresh machine installs."""

    name: str
    sha256: str
    bytes: int


class BootFolder:
    """See `ports.BootFiles`. A manifest of another version of this program counts as none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def manifest(self) -> bytes | None:
        """The bytes whose digest a launch spec carries."""
        try:
            body = (self.folder / _MANIFEST).read_bytes()
            return body if json.loads(body)["version"] == __version__ else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def built_at(self) -> datetime | None:
        """When the packages were fetched; None where there are none, or nobody wrote it down."""
        try:
            at = datetime.fromisoformat(json.loads(self.manifest() or b"")["built_at"])
        except (ValueError, KeyError, TypeError):
            return None
        return at if at.tzinfo is not None else None

    def open(self, sha256: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]] | None:
        """Only digests lead to files, and only those of the folder's own."""
        if not _SHA256.fullmatch(sha256):
            return None
        path = self.folder / sha256
        try:
            size = path.stat().st_size
        except OSError:
            return None
        return size, lambda start, end: _pieces(path, start, end)

    def keep(
        self, python: str, wheels: Sequence[Path], built_at: datetime | None = None
    ) -> list[Wheel]:
        """Make these files the ones that are handed out, and forget the others. They are of now,
        unless it is said. The manifest comes last: a crash before it leaves the files of the one
        before."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = []
        for path in sorted(wheels, key=lambda path: path.name):
            digest = sha256_of(path)
            kept.append(Wheel(path.name, digest, path.stat().st_size))
            shutil.move(path, self.folder / digest)
        document = {
            "schema": SCHEMA,
            "version": __version__,
            "built_at": (built_at or datetime.now(UTC)).isoformat(timespec="seconds"),
            "python": python,
            "machine": MACHINE,
            "files": [asdict(wheel) for wheel in kept],
        }
        fresh = self.folder / f"{_MANIFEST}.new"
        fresh.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
        os.replace(fresh, self.folder / _MANIFEST)  # noqa: PTH105
        for path in self.folder.iterdir():
            if _SHA256.fullmatch(path.name) and path.name not in {w.sha256 for w in kept}:
                path.unlink()
        return kept

    def write_to(self, target: Path, wheels: Sequence[Wheel]) -> None:
        """The same files by name, with what pip needs to compare their digests and a CycloneDX 1.5
        list of them. Raises Problem `folder-unusable`."""
        lines = [f"./{wheel.name} --hash=sha256:{wheel.sha256}\n" for wheel in wheels]
        try:
            target.mkdir(parents=True, exist_ok=True)
            for wheel in wheels:
                shutil.copyfile(self.folder / wheel.sha256, target / wheel.name)
            (target / "requirements.txt").write_text("".join(lines), "utf-8")
            (target / "sbom.cdx.json").write_text(json.dumps(bill(wheels), indent=1), "utf-8")
        except OSError as error:
            detail = error.strerror or str(error)
            raise Problem("folder-unusable", folder=str(target), detail=detail) from error


def bill(wheels: Sequence[Wheel]) -> dict[str, Any]:
    """A software bill of materials (CycloneDX 1.5): names and versions as the files' names say."""
    components = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        components.append(
            {
                "type": "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name.lower().replace('_', '-')}@{version}",
                "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
            }
        )
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}


def sha256_of(path: Path) -> str:
    """Lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0:
            piece = file.read(min(PIECE_BYTES, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
