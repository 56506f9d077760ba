"""Building what a fresh machine installs: the locked wheels by pip, ours from the source here.

`worker.lock` names every version and digest; pip fetches them from whatever index or mirror this
user has set up, for the Python of the machine and not for ours, and compares each digest.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from packaging.markers import Marker

import leitstand
from leitstand.boot.files import MACHINE, BootFolder, Wheel, sha256_of
from leitstand.core.problem import Exit, Problem

PYTHON = "3.12"
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC_MAX = 35
"""Of glibc 2.x: the newest that a wheel may ask for. Ubuntu 22.04 has 2.35, Debian 12 has 2.36."""
GLIBC_MIN = 5
SECONDS_MAX = 3600
ACCELERATORS = ("cuda", "cpu")
_LOCKS = {"cpu": ("worker.lock",), "cuda": ("worker.lock", "cuda.lock")}
_REPLACED = {"cpu": set[str](), "cuda": {"onnxruntime"}}
"""`onnxruntime-gpu` holds the same modules as `onnxruntime`, and the CPU as well."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One line of the lock file."""

    name: str
    version: str
    sha256: frozenset[str]


def locked(text: str, python: str) -> list[Locked]:
    """What the lock file names for that Python on a Linux machine of `MACHINE`."""
    here = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": MACHINE,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    found = []
    for entry in re.split(r"\n(?=\S)", text.strip()):
        head, *hashes = re.split(r"\s*\\\n\s*", entry)
        if head.startswith("#"):
            continue
        pinned, _, marker = (part.strip() for part in head.partition(";"))
        name, equal, version = pinned.partition("==")
        digests = frozenset(one.removeprefix("--hash=sha256:").strip() for one in hashes)
        if not (equal and digests):
            raise ValueError(f"{pinned} is not locked")
        if not marker or Marker(marker).evaluate(here):
            found.append(Locked(name, version, digests))
    return found


def wanted(python: str, accelerator: str) -> list[Locked]:
    """What a worker on such a machine is made of."""
    found: dict[str, Locked] = {}
    for lock in _LOCKS[accelerator]:
        text = (resources.files("leitstand.boot") / lock).read_text("utf-8")
        found |= {one.name: one for one in locked(text, python) if one.name not in found}
    return [one for name, one in found.items() if name not in _REPLACED[accelerator]]


def build(
    folder: BootFolder, pip: Sequence[str], python: str = PYTHON, accelerator: str = "cuda"
) -> list[Wheel]:
    """Fetch, build and keep the files for machines with that Python; `pip` runs pip. Workers for
    CUDA run on machines without a GPU too, and are some gigabytes larger.

    Raises Problem `boot-python`, `boot-bundle-failed`.
    """
    if python not in PYTHONS:
        raise Problem("boot-python", Exit.USAGE, given=python, known=", ".join(PYTHONS))
    staging = folder.folder / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700, parents=True)
    try:
        wheels = _fetched(wanted(python, accelerator), pip, python, staging)
        return folder.keep(python, [*wheels, own_wheel(staging / "own")])
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _fetched(
    packages: Sequence[Locked], pip: Sequence[str], python: str, staging: Path
) -> list[Path]:
    lines = [
        " ".join(
            [f"{one.name}=={one.version}", *(f"--hash=sha256:{h}" for h in sorted(one.sha256))]
        )
        for one in packages
    ]
    listed = staging / "requirements.txt"
    listed.write_text("\n".join(lines) + "\n", "utf-8")
    target = staging / "wheels"
    tags = ["--implementation", "cp", "--python-version", python]
    for abi in (f"cp{python.replace('.', '')}", "abi3", "none"):
        tags += ["--abi", abi]
    for glibc in range(GLIBC_MAX, GLIBC_MIN - 1, -1):
        tags += ["--platform", f"manylinux_2_{glibc}_{MACHINE}"]
    tags += ["--platform", f"manylinux2014_{MACHINE}", "--platform", f"linux_{MACHINE}"]
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command = [*pip, "download", *options, *tags, "--dest", str(target), "--requirement"]
    _run([*command, str(listed)], staging)
    wheels = sorted(target.iterdir())
    known = frozenset[str]().union(*(one.sha256 for one in packages))
    strange = [path.name for path in wheels if sha256_of(path) not in known]
    if strange or len(wheels) != len(packages):
        detail = f"{len(wheels)} files for {len(packages)} packages; not locked: {strange[:3]}"
        raise Problem("boot-bundle-failed", Exit.FAILED, detail=detail)
    return wheels


def own_wheel(target: Path) -> Path:
    """Our own wheel: built from a checkout, else put together from the files of this installation."""
    target.mkdir(parents=True, exist_ok=True)
    root = Path(leitstand.__file__).parents[2]
    if (root / "pyproject.toml").is_file():
        program = f"from hatchling.build import build_wheel; build_wheel({str(target)!r})"
        _run([sys.executable, "-c", program], root)
        (found,) = target.glob("leitstand-*.whl")
        return found
    return repacked(metadata.distribution("leitstand"), target)


def repacked(installed: metadata.Distribution, target: Path) -> Path:
    """The wheel that an installation came from, without what installing added. Its files are the
    same; times in the archive are constant, so that the same version has the same digest."""
    info = f"{installed.name}-{installed.version}.dist-info"
    added = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    path = target / f"{installed.name}-{installed.version}-py3-none-any.whl"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(installed.files or (), key=str):
            name = file.as_posix()
            if name.startswith("../") or "__pycache__" in file.parts or file.name in added:
                continue
            body = file.read_binary()
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
            rows.writerow([name, f"sha256={digest}", len(body)])
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
        rows.writerow([f"{info}/RECORD", "", ""])
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), record.getvalue())
    return path


def _run(command: Sequence[str], folder: Path) -> None:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Problem("boot-bundle-failed", Exit.UNREACHABLE, detail="no end in an hour") from error
    if ran.returncode:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()] or ["no word"]
        # An address of an index may hold a name and a password.
        detail = re.sub(r"//[^/@\s]+@", "//", lines[-1])[:300]
        raise Problem("boot-bundle-failed", Exit.UNREACHABLE, detail=detail)
