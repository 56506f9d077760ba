"""Findings come from the model: another one of the same signature, and they are gone."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import leitstand
from leitstand.models.catalogue import Catalogue
from tests import weights
from tests.e2e.conftest import Install

FAMILY = "detector"


def assert_people_and_a_bus(report: dict[str, Any]) -> None:
    """What the photograph shows."""
    seen = [f["label"] for f in report["findings"] if f["kind"] == "object"]
    assert seen.count("person") >= 2
    assert "bus" in seen


def models_of(report: dict[str, Any]) -> dict[str, str]:
    """Digest by name of every model that a step used."""
    return {model["name"]: model["sha256"] for step in report["steps"] for model in step["models"]}


def swapped(folder: Path) -> tuple[Path, Path, str]:
    """A copy of the package and of the model cache in which the detector sees nothing; its name.

    The catalogue is changed as its maker would: another digest, so the worker's own checks hold.
    """
    models = weights.models().folder
    version = Catalogue.load().best(FAMILY, weights.models())
    assert version is not None
    (file,) = [file for file in version.files if file.name.endswith(".onnx")]
    twin = weights.constant_twin(weights.models().read(file.sha256))
    digest = hashlib.sha256(twin).hexdigest()
    cache = folder / "models"
    (cache / "sha256").mkdir(parents=True)
    for kept in (models / "sha256").iterdir():
        (cache / "sha256" / kept.name).symlink_to(kept)
    (cache / "sha256" / file.sha256).unlink()
    (cache / "sha256" / digest).write_bytes(twin)
    package = folder / "package" / "leitstand"
    shutil.copytree(Path(leitstand.__file__).parent, package)
    catalogue = package / "models" / "catalogue.toml"
    before = catalogue.read_text("utf-8")
    assert before.count(file.sha256) == 1
    after = before.replace(file.sha256, digest)
    catalogue.write_text(after.replace(f"bytes = {file.bytes}", f"bytes = {len(twin)}"), "utf-8")
    return package.parent, cache, version.name


def test_findings_come_from_the_model(install: Install, tmp_path: Path) -> None:
    package, cache, name = swapped(tmp_path)
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    picture = weights.picture_path("bus.jpg")
    reports = []
    for here in (install(), install({"PYTHONPATH": path}, models=cache)):
        ran = here.run("analyze", picture)
        assert ran.code == 0, ran.err
        reports.append(ran.report())
    real, blind = reports
    assert_people_and_a_bus(real)
    with pytest.raises(AssertionError):
        assert_people_and_a_bus(blind)
    assert [f for f in blind["findings"] if f["label"] == "person"] == []
    used = [models_of(report) for report in reports]
    assert used[0].keys() == used[1].keys()
    assert {model for model in used[0] if used[0][model] != used[1][model]} == {name}
