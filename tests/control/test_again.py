"""What was chosen is looked at again before it is paid for: rules change between a plan and its start,
and between an intent and its launch."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.again import check_plan
from leitstand.control.cases import OpenCase
from leitstand.control.jobs import StartJob
from leitstand.control.plan import Planner, Wish
from leitstand.core.placement import Rejection
from leitstand.core.problem import Problem
from leitstand.store import jobs
from leitstand.store.engine import Database
from tests.contracts.worlds import RENTED
from tests.control.rig import OPERATOR, Rig

UNREACHABLE = Rejection("address-private", "https://127.0.0.1:1", "a public https address")


def planned(rig: Rig) -> jobs.Decision:
    rig.rented.tier = "B"
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    return rig.planner.decide(wish, OPERATOR, rig.time)


def withdrawn(planner: Any, what: str) -> None:
    """A later process, with other settings."""
    match what:
        case "agreement":
            planner.unagreed.add("rented")
        case "region":
            planner.rules.regions["rented"] = ("NO",)
        case "regions-unset":
            del planner.rules.regions["rented"]
        case "price":
            planner.rules.price_max["rented"] = Decimal("0.01")
        case "tier":
            planner.rules.tiers[2] = "A"
        case _:
            planner._outside = lambda: UNREACHABLE


WITHDRAWN = ("agreement", "region", "regions-unset", "price", "tier", UNREACHABLE.rule)


@pytest.mark.parametrize("what", WITHDRAWN)
def test_a_plan_whose_offer_may_not_be_taken_any_more_does_not_start(rig: Rig, what: str) -> None:
    decision = planned(rig)
    check_plan(rig.planner, rig.door, decision.id, rig.time)
    withdrawn(rig.planner, what)
    with pytest.raises(Problem, match="plan-outdated") as refused:
        check_plan(rig.planner, rig.door, decision.id, rig.time)
    rule = "tier" if what == "agreement" else what
    assert refused.value.params["rule"] == rule


def test_a_plan_that_started_is_shown_whatever_the_rules_are_now(rig: Rig) -> None:
    decision = planned(rig)
    rig.run(StartJob(decision.id, "test1234", 4))
    withdrawn(rig.planner, "region")
    check_plan(rig.planner, rig.door, decision.id, rig.time)


@pytest.mark.parametrize("name", RENTED)
def test_adapters_say_whether_an_agreement_is_recorded(
    rig: Rig, name: str, tmp_path: Path, database: Database
) -> None:
    signed = tmp_path / "signed.pdf"
    signed.write_text("signed")
    world = RENTED[name](tmp_path)
    for more, unagreed in ({"agreement_file": str(signed)}, set()), ({}, {name}):
        planner = Planner(
            rig.door, {name: world.connect(**more)}, rig.planner._shelf, rig.planner.rules
        )
        assert planner.unagreed == unagreed
