"""A fresh machine for tests: a folder with a `python3` and nothing else, an empty environment, and
the bootstrap as a provider would run it; and files to hand out that a test can damage."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from leitstand import __version__
from leitstand.boot import bundle, program, render
from leitstand.boot.files import BootFolder

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
SECONDS_MAX = 240
SHOWS = """
import json, os, sys
print(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ), "path": sys.path}))
"""


def wheel(folder: Path, name: str, members: Mapping[str, str]) -> Path:
    """A wheel of these files (PEP 427)."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    files = dict(members) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{member},,\n" for member in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def pip(folder: Path) -> Path:
    """The wheel of the pip that this environment has."""
    return bundle.repacked(metadata.distribution("pip"), folder)


@dataclass
class Files:
    """See `ports.BootFiles`, in memory. `served` replaces what a digest leads to, `breaks` ends a
    transfer after so many bytes, as often as it says."""

    folder: BootFolder
    served: dict[str, bytes] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    breaks: dict[str, list[int]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def manifest(self) -> bytes | None:
        body = self.folder.manifest()
        assert body is not None
        return json.dumps(json.loads(body) | self.changes).encode() if self.changes else body

    def open(self, sha256: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]] | None:
        found = self.folder.open(sha256)
        if found is None:
            return None
        size, read = found

        def pieces(start: int, end: int) -> Iterator[bytes]:
            self.asked.append((sha256, start))
            body = self.served.get(sha256) or b"".join(read(0, size))
            left = self.breaks.get(sha256)
            yield body[start : min(end, left.pop(0))] if left else body[start:end]

        return size, pieces

    def digest_of(self, name: str) -> str:
        """The digest of the file whose name begins so."""
        listed = json.loads(self.folder.manifest() or b"{}")["files"]
        (found,) = [file["sha256"] for file in listed if file["name"].startswith(f"{name}-")]
        return str(found)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.manifest() or b"").hexdigest()


def handed_out(folder: Path, *wheels: Path) -> Files:
    """These wheels and a pip, as a control plane hands them out."""
    made = BootFolder(folder)
    folder.mkdir(exist_ok=True)
    made.keep(HERE, [*wheels, pip(folder)])
    assert json.loads(made.manifest() or b"{}")["version"] == __version__
    return Files(made)


@dataclass(frozen=True)
class Ended:
    """How a machine ended."""

    code: int
    out: str
    lines: list[str]

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else ""

    def refused(self, code: int, *words: str) -> None:
        """Its last line says so, and why."""
        assert self.code == code, self.lines
        assert self.last.startswith(render.REFUSED), self.lines
        for word in words:
            assert word in self.last, self.lines


class Machine:
    """A machine that has been started from a stock image."""

    def __init__(self, folder: Path, python: bool = True) -> None:
        self.programs = folder / "bin"
        self.disk = folder / "disk"
        self.programs.mkdir(parents=True)
        self.disk.mkdir()
        if python:
            (self.programs / "python3").symlink_to(Path(sys.executable).resolve())

    def command(
        self, command: list[str], environment: Mapping[str, str], patience: str = "0"
    ) -> dict[str, Any]:
        """What `subprocess` starts: the rendered command and variables, and no others."""
        return {
            "args": command,
            "cwd": self.disk,
            "env": {
                "PATH": str(self.programs),
                program.FOLDER: str(self.disk),
                program.PATIENCE: patience,
                **environment,
            },
            "stdin": subprocess.DEVNULL,
        }

    def run(self, command: list[str], environment: Mapping[str, str], patience: str = "0") -> Ended:
        ran = subprocess.run(
            **self.command(command, environment, patience),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        return Ended(ran.returncode, ran.stdout, ran.stderr.strip().splitlines())

    @property
    def left(self) -> set[str]:
        """What lies in the folder of the boot."""
        (folder,) = self.disk.iterdir()
        assert folder.stat().st_mode & 0o777 == 0o700
        return {path.name for path in folder.iterdir()}
