"""The wheel holds all that a run needs, and runs where nothing else of this checkout is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests import weights

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
NOT_SHIPPED = {"__pycache__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without isolation and without a network, by what the lock file holds."""
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("leitstand-*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {
            name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")
        }
    here = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.parts)
    }
    assert shipped == here
    for needed in (
        "leitstand/analysis/report.html.j2",
        "leitstand/formats/report.schema.json",
        "leitstand/models/catalogue.toml",
        "leitstand/py.typed",
        "leitstand/store/migrations/env.py",
        "leitstand/texts/de/problems.ftl",
        "leitstand/texts/en/problems.ftl",
    ):
        assert needed in shipped


def test_the_wheel_says_what_it_needs_and_under_which_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        assert any(n.endswith("/licenses/LICENSE") for n in archive.namelist())
    assert "License-Expression: Apache-2.0" in metadata
    extras = {
        line.split()[-1] for line in metadata.splitlines() if line.startswith("Provides-Extra")
    }
    assert extras == {"media", "postgres", "test", "bench"}
    plain = [
        line
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    heavy = ("av>", "numpy", "onnx", "opencv", "pillow", "faster-whisper")
    assert not [line for line in plain if line.split()[1].startswith(heavy)]


@pytest.mark.full
def test_the_installed_wheel_analyses_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    install = [binaries / "python", "-m", "pip", "install", "--quiet", f"{wheel}[media]"]
    subprocess.run(install, check=True)
    home = tmp_path / "home"
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "models").symlink_to(weights.models().folder)
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "nobody"),
        "LANG": "C.UTF-8",
        "LEITSTAND_HOME": str(home),
    }
    ran = subprocess.run(
        ["leitstand", "analyze", weights.picture_path("bus.jpg"), "--out", "report"],
        executable=binaries / "leitstand",
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    report = json.loads((work / "report" / "report.json").read_text("utf-8"))
    seen = [finding["label"] for finding in report["findings"] if finding["kind"] == "object"]
    assert "bus" in seen
    assert seen.count("person") >= 2
    assert (work / "report" / "report.html").stat().st_size > 0
