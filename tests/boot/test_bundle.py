"""What the lock file comes to on a machine, and how the files to hand out are put together."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import sys
import zipfile
from datetime import UTC, datetime
from importlib import metadata, resources
from pathlib import Path

import pytest

from leitstand.boot import bundle
from leitstand.boot.files import BootFolder, sha256_of
from leitstand.core.problem import Exit, Problem
from tests.boot import stock

LOCK = f"""# made by somebody
always==1.0 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
old==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:{"c" * 64}
new==2.0 ; python_full_version >= '3.12' \\
    --hash=sha256:{"d" * 64}
elsewhere==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:{"e" * 64}
"""


def names(python: str) -> list[str]:
    return [one.name for one in bundle.locked(LOCK, python)]


def test_the_lock_is_read_for_the_python_of_the_machine() -> None:
    assert names("3.11") == ["always", "old"]
    assert names("3.13") == ["always", "new"]
    assert bundle.locked(LOCK, "3.11")[0].sha256 == {"a" * 64, "b" * 64}


def test_a_package_without_a_digest_is_no_lock() -> None:
    with pytest.raises(ValueError):
        bundle.locked("loose==1.0\n", "3.12")


@pytest.mark.parametrize("python", bundle.PYTHONS)
def test_the_shipped_lock_has_a_worker_and_a_pip(python: str) -> None:
    found = {one.name for one in bundle.wanted(python, "cpu")}
    assert found >= {"pip", "onnxruntime", "numpy", "cryptography", "opencv-python-headless"}
    assert not found & {"uv", "hatchling", "psycopg", "colorama", "onnxruntime-gpu"}


@pytest.mark.parametrize("python", bundle.PYTHONS)
def test_a_worker_for_cuda_has_one_runtime_and_its_libraries(python: str) -> None:
    found = [one.name for one in bundle.wanted(python, "cuda")]
    assert len(found) == len(set(found))
    assert "onnxruntime-gpu" in found and "onnxruntime" not in found
    assert any(name.startswith("nvidia-cudnn") for name in found)
    plain = {one.name for one in bundle.wanted(python, "cpu")} - {"onnxruntime"}
    assert plain <= set(found)


def test_the_shipped_lock_agrees_with_that_of_a_checkout() -> None:
    """Versions that were tested together run together."""
    root = Path(bundle.__file__).parents[3]
    pinned = {
        line.partition(" \\")[0]
        for line in (root / "requirements.lock").read_text("utf-8").splitlines()
        if "==" in line and not line.startswith(("#", " "))
    }
    text = (resources.files("leitstand.boot") / "worker.lock").read_text("utf-8")
    shipped = {
        line.partition(" \\")[0]
        for line in text.splitlines()
        if "==" in line and not line.startswith(("#", " "))
    }
    assert shipped <= pinned


def fake_pip(folder: Path, *wheels: Path, code: int = 0) -> list[str]:
    """A program that stands for pip: brings these files, or fails."""
    program = folder / "pip.py"
    program.write_text(
        "import pathlib, shutil, sys\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        "target.mkdir()\n"
        f"for path in {[str(path) for path in wheels]!r}: shutil.copy(path, target)\n"
        "sys.stderr.write('ERROR: no https://me:secret@mirror.example/simple\\n')\n"
        f"sys.exit({code})\n"
    )
    return [sys.executable, str(program)]


def test_what_the_lock_does_not_name_is_not_handed_out(tmp_path: Path) -> None:
    strange = stock.wheel(tmp_path, "strange", {})
    folder = BootFolder(tmp_path / "boot")
    with pytest.raises(Problem) as caught:
        bundle.build(folder, fake_pip(tmp_path, strange))
    assert caught.value.code == "boot-bundle-failed"
    assert "strange-1.0" in str(caught.value.params["detail"])
    assert folder.manifest() is None
    assert list(folder.folder.iterdir()) == []


def test_an_index_that_fails_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        bundle.build(BootFolder(tmp_path / "boot"), fake_pip(tmp_path, code=1))
    assert caught.value.exit == Exit.UNREACHABLE
    assert "mirror.example" in str(caught.value.params["detail"])
    assert "secret" not in str(caught.value.params)


def test_a_python_nobody_builds_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        bundle.build(BootFolder(tmp_path), ["false"], "2.7")
    assert caught.value.code == "boot-python"


def test_an_installation_gives_back_the_wheel_it_came_from(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    made = bundle.repacked(metadata.distribution("pip"), first)
    assert sha256_of(made) == sha256_of(bundle.repacked(metadata.distribution("pip"), second))
    with zipfile.ZipFile(made) as archive:
        members = archive.namelist()
        assert len(members) == len(set(members))
        (record,) = [name for name in members if name.endswith(".dist-info/RECORD")]
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == set(members)
        for name, digest, size in rows:
            if name != record:
                body = archive.read(name)
                found = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
                assert (digest, size) == (f"sha256={found.rstrip('=')}", str(len(body)))
        assert not [name for name in members if "INSTALLER" in name or "__pycache__" in name]


def test_files_by_name_are_what_pip_compares_and_are_listed(tmp_path: Path) -> None:
    folder = BootFolder(tmp_path / "boot")
    built = datetime(2026, 11, 20, tzinfo=UTC)
    kept = folder.keep("3.12", [stock.wheel(tmp_path, "some_thing", {"x.py": ""})], built)
    assert folder.built_at() == built
    folder.write_to(tmp_path / "out", kept)
    (wheel,) = kept
    assert sha256_of(tmp_path / "out" / wheel.name) == wheel.sha256
    listed = (tmp_path / "out" / "requirements.txt").read_text()
    assert listed == f"./{wheel.name} --hash=sha256:{wheel.sha256}\n"
    (part,) = json.loads((tmp_path / "out" / "sbom.cdx.json").read_text())["components"]
    assert part["purl"] == "pkg:pypi/some-thing@1.0"
    assert part["hashes"] == [{"alg": "SHA-256", "content": wheel.sha256}]
    with pytest.raises(Problem) as caught:
        folder.write_to(tmp_path / "out" / wheel.name, kept)
    assert caught.value.code == "folder-unusable"
