"""What a plan asks of an instance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leitstand.control.cases import OpenCase
from leitstand.control.plan import RAM_GIB, Wish
from leitstand.core.model import ModelVersion
from tests.control import rig as rigs
from tests.control.rig import Rig


def test_a_task_asks_for_the_memory_of_the_models_it_loads_and_no_others(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    best = rigs.OneModel.best

    def measured(self: rigs.OneModel, family: str) -> ModelVersion | None:
        found = best(self, family)
        assert found is not None
        if family == "speech":
            return replace(found, vram_gib=None, ram_gib=3.0)
        return replace(found, vram_gib=0.5, ram_gib=0.1)

    monkeypatch.setattr(rigs.OneModel, "best", measured)
    case = rig.run(OpenCase("K-1"))
    streams = ("image:0", "audio:0")
    ids = tuple(rig.medium(case.id, stream=stream) for stream in streams)
    wants = rig.planner.work(Wish(case.id, ids, "people+speech", "en"), rig.time).wants
    image, audio, fuse = wants["image"], wants["audio"], wants["fuse"]
    assert image.ram_gib == pytest.approx(RAM_GIB["image"] + 3 * 0.1 * 1.2)
    assert audio.ram_gib == pytest.approx(RAM_GIB["audio"] + (0.1 + 3.0) * 1.2)
    assert image.vram_gib == pytest.approx(3 * 0.5 * 1.2)
    assert audio.vram_gib == rig.planner.rules.vram_gib["audio"], "speech has no figure"
    assert fuse.ram_gib == RAM_GIB["fuse"]
