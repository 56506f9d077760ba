"""What a fresh machine installs decides which machine is taken, and what an image of one's own saves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from leitstand.control.decision import document, replayed
from leitstand.control.fresh import Fresh
from leitstand.core.bundled import cuda_needed
from leitstand.core.placement import Offer, Requirements
from tests.control.rig import Rig
from tests.control.test_hosts import Elsewhere, decision_of


class Files:
    """Two gigabytes to install."""

    def __init__(self, *names: str) -> None:
        self.names = names or ("one.whl", "two.whl")

    def manifest(self) -> bytes:
        files = [{"name": name, "bytes": 2 * 10**9 // len(self.names)} for name in self.names]
        return json.dumps({"files": files}).encode()

    def open(self, sha256: str) -> None:
        return None

    def built_at(self) -> None:
        return None


class Drivers(Elsewhere):
    """Two machines with GPUs; the driver of the first is the older one."""

    asked: str | None = None

    def offers(self, want: Requirements) -> Iterable[Offer]:
        self.asked = want.cuda_min
        for found, cuda in zip(super().offers(want), ("12.8", "13.0"), strict=True):
            yield replace(
                found, accelerator="nvidia", cuda=cuda, compute_capability="7.5", vram_gib=48.0
            )


@pytest.fixture
def abroad(rig: Rig) -> Rig:
    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Elsewhere()
    planner: Any = rig.planner
    planner._boot = Fresh(Files())
    return rig


def test_a_plan_says_what_a_prebuilt_image_would_save(abroad: Rig) -> None:
    decision = decision_of(abroad, abroad.job())
    assert document(decision)["prebuilt"] == {
        "seconds": 424, "eur": "0.042400", "bytes": 2 * 10**9
    }  # fmt: skip
    assert replayed(decision) is True


def test_a_machine_that_starts_from_one_saves_nothing_more(abroad: Rig) -> None:
    abroad.planner.rules = replace(abroad.planner.rules, prebuilt=frozenset({"rented"}))
    assert document(decision_of(abroad, abroad.job()))["prebuilt"] is None


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("nvidia_cuda_runtime-13.5.37-py3-none-manylinux2014_x86_64.whl", "13.0"),
        ("nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.whl", "12.0"),
        ("onnxruntime-1.31.1-cp312-cp312-manylinux_2_27_x86_64.whl", None),
    ],
)
def test_the_packages_say_which_driver_they_need(name: str, needs: str | None) -> None:
    assert cuda_needed(Files("numpy-2.whl", name).manifest()) == needs
    assert cuda_needed(None) is None


@pytest.mark.parametrize(
    ("runtime", "host", "asked"),
    [("nvidia_cuda_runtime-13.5.37-x.whl", "second", "13.0"), ("numpy-2.whl", "first", "11.8")],
)
def test_a_machine_whose_driver_is_older_than_the_worker_s_packages_is_not_taken(
    abroad: Rig, runtime: str, host: str, asked: str
) -> None:
    providers: Any = abroad.reconciler._providers
    providers["rented"] = abroad.rented = Drivers()
    planner: Any = abroad.planner
    planner._boot = Fresh(Files(runtime))
    planner.rules = replace(planner.rules, images={"rented": "python@sha256:" + "0" * 64})
    decision = decision_of(abroad, abroad.job())
    assert document(decision)["chosen"]["offer"]["host"] == host
    assert abroad.rented.asked == asked
