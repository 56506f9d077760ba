"""What a host charges for bytes is in the plan and in the reservation, before anything is rented."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.cases import OpenCase
from leitstand.control.decision import replayed
from leitstand.control.fresh import Fresh
from leitstand.control.jobs import StartJob
from leitstand.control.plan import Wish
from leitstand.core import limits
from leitstand.core.placement import Offer, Requirements
from leitstand.store import instances, jobs, money
from leitstand.store.engine import Database
from tests.control.rig import OPERATOR, TENANT, Rented, Rig, serve

BUNDLE = 10 * 10**9
DOWN = Decimal("0.05")
FETCHED = Decimal("0.50")


class Files:
    """See `ports.BootFiles`."""

    def manifest(self) -> bytes:
        files = [{"bytes": BUNDLE // 4}, {"bytes": BUNDLE // 4 * 3}]
        return json.dumps({"files": files}).encode()

    def open(self, sha256: str) -> None:
        return None

    def built_at(self) -> None:
        return None


class Metered(Rented):
    """A host that charges for what it fetches and sends."""

    def offers(self, want: Requirements) -> Iterable[Offer]:
        for offer in super().offers(want):
            yield replace(offer, down_eur_per_gb=DOWN, up_eur_per_gb=Decimal("0.02"))


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterable[Rig]:
    monkeypatch.setattr("tests.control.rig.Rented", Metered)
    with Database.open(sqlite_url, relaxed=True) as database:
        found = Rig(database, tmp_path)
        found.rented.tier = "B"
        found.planner._boot = Fresh(Files())
        yield found


def decide(rig: Rig, **wish: Any) -> jobs.Decision:
    case = rig.run(OpenCase("inbox"))
    asked = Wish(case.id, (rig.medium(case.id),), "people", "en", **wish)
    return rig.planner.decide(asked, OPERATOR, rig.time)


def held(rig: Rig) -> Decimal:
    return rig.read(lambda c: money.held(c, TENANT))  # type: ignore[no-any-return]


def test_the_bundle_is_expected_and_reserved_with_a_margin(rig: Rig) -> None:
    decision = decide(rig)
    chosen = decision.verdict["chosen"]
    once_in_a_while_twice = FETCHED * Decimal("1.2")
    assert FETCHED < Decimal(chosen["parts_eur"]["traffic"]) < once_in_a_while_twice
    traffic = Decimal(chosen["offer"]["traffic_eur"])
    margin = Decimal(str(limits.TRAFFIC_MARGIN))
    assert FETCHED * margin <= traffic < FETCHED * margin + Decimal("0.0001")
    assert Decimal(chosen["worst_eur"]) == Decimal("0.36") + traffic
    rig.run(StartJob(decision.id, "test1234", 4))
    assert held(rig) == Decimal(chosen["worst_eur"])
    assert replayed(decision) is True


def test_a_second_launch_reserves_it_again(rig: Rig) -> None:
    rig.job()
    serve(rig)
    rig.rented.running.clear()
    rig.step(4)
    assert rig.rented.launches == 2
    [second] = rig.read(instances.alive)
    assert Decimal(second.offer["traffic_eur"]) >= FETCHED
    assert held(rig) >= Decimal("0.36") + FETCHED - Decimal("0.01")


def test_a_cap_that_pays_for_the_time_and_not_for_the_bytes_is_too_small(rig: Rig) -> None:
    decision = decide(rig, max_cost_eur=Decimal("0.55"))
    assert decision.verdict["chosen"] is None
    (fallen,) = decision.reasons["rejected"]
    assert fallen["rule"] == "budget"
    assert Decimal(fallen["needs"]) > FETCHED * Decimal("1.2")


def test_a_cap_that_pays_for_both_shortens_the_time_by_the_bytes(rig: Rig) -> None:
    cap = Decimal("0.80")
    decision = decide(rig, max_cost_eur=cap)
    chosen = decision.verdict["chosen"]
    assert cap - Decimal("0.02") < Decimal(chosen["worst_eur"]) <= cap


def test_an_own_machine_moves_nothing_that_anybody_charges_for(rig: Rig) -> None:
    rig.rented.tier = "L"
    chosen = decide(rig).verdict["chosen"]
    assert Decimal(chosen["parts_eur"]["traffic"]) == 0
    assert Decimal(chosen["worst_eur"]) == Decimal("0.36")
