"""A plan says what an image that has the worker would save, where the machine starts from another."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from leitstand.control.decision import document, replayed
from tests.control.rig import Rig
from tests.control.test_hosts import Elsewhere, decision_of


class Files:
    """Two gigabytes to install."""

    def manifest(self) -> bytes:
        return json.dumps({"files": [{"bytes": 10**9}, {"bytes": 10**9}]}).encode()


@pytest.fixture
def abroad(rig: Rig) -> Rig:
    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Elsewhere()
    planner: Any = rig.planner
    planner._boot = Files()
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
