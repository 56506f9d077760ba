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
from leitstand.core.job import Job
from leitstand.core.placement import Rejection
from leitstand.core.problem import Problem
from leitstand.store import instances, jobs, money, tables
from leitstand.store.engine import Database
from tests.contracts.worlds import RENTED
from tests.control.rig import OPERATOR, TENANT, Rig, job_of

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


def intended(rig: Rig) -> Job:
    """A job with the intent of an instance, before its launch call."""
    job = rig.run(StartJob(planned(rig).id, "test1234", 4))
    assert (rig.instance_states(), rig.rented.launches) == (["intended"], 0)
    return job


@pytest.mark.parametrize("what", [what for what in WITHDRAWN if what != "tier"])
def test_an_intent_whose_offer_may_not_be_taken_any_more_is_not_launched(
    rig: Rig, what: str
) -> None:
    job = intended(rig)
    withdrawn(rig.planner, what)
    if what == "agreement":
        rig.rented.tier = "C"
    rig.effects.step(rig.time)
    assert (rig.instance_states(), rig.rented.launches) == (["terminated"], 0)
    assert rig.read(lambda c: money.held(c, TENANT, job.id)) == 0
    rig.step(5)
    assert (rig.instance_states(), rig.rented.launches) == (["terminated"], 0)
    assert job_of(rig, job.id).reason["code"] == "no-offer"


@pytest.mark.parametrize("seconds", [241, 54 * 60, 5 * 3600])
def test_an_intent_that_waited_too_long_is_given_up_and_another_launched(
    rig: Rig, seconds: int
) -> None:
    intended(rig)
    rig.later(seconds=seconds)
    rig.effects.step(rig.time)
    assert (rig.instance_states(), rig.rented.launches) == (["terminated"], 0)
    rig.step(4)
    assert (rig.instance_states(), rig.rented.launches) == (["terminated", "booting"], 1)
    instance = rig.read(instances.alive)[0]
    assert rig.time < instance.ready_by and rig.time < instance.end_by


def test_an_intent_that_waited_for_other_launches_is_launched(rig: Rig) -> None:
    intended(rig)
    rig.later(minutes=4)
    rig.effects.step(rig.time)
    assert (rig.instance_states(), rig.rented.launches) == (["booting"], 1)


@pytest.mark.parametrize("deadline", ["ready_by", "end_by"])
def test_an_intent_that_is_younger_but_past_a_deadline_is_given_up(rig: Rig, deadline: str) -> None:
    intended(rig)
    table = tables.instances
    passed = {deadline: rig.time}
    rig.database.write(lambda c: c.execute(table.update().values(passed)))
    rig.effects.step(rig.time)
    assert (rig.instance_states(), rig.rented.launches) == (["terminated"], 0)
