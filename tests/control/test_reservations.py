"""What a job may spend, whatever its instances and other jobs do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from leitstand.control.cases import OpenCase
from leitstand.control.jobs import CancelJob, ResumeJob, StartJob
from leitstand.control.plan import Wish
from leitstand.core.placement import Offer, Requirements
from leitstand.ports import NoCapacity, UnknownOutcome
from leitstand.store import instances, money
from leitstand.store.engine import Database
from tests.control.rig import (
    OPERATOR,
    TENANT,
    Rented,
    Rig,
    job_of,
    serve,
    to_the_end,
)


def test_a_relaunch_is_covered_for_its_whole_term_or_not_made(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path, budgets={"job": None, "month": "0.07", "total": None})
        job = rig.job()
        serve(rig)
        rig.later(minutes=10)
        rig.rented.running.clear()
        rig.step(4)
        assert rig.rented.launches == 1
        assert rig.job_state(job) == "failed"
        reason = job_of(rig, job.id).reason
        assert reason["code"] == "over-budget"
        cost = rig.read(lambda c: money.spent(c, TENANT, job.id))
        assert Decimal(reason["params"]["cost_eur"]) == cost > 0


def test_a_job_that_spent_its_budget_is_held_and_goes_on_when_there_is_more(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path, budgets={"job": None, "month": "0.07", "total": None})
        job = rig.job()
        worker = serve(rig)
        worker.result(worker.claim()[0], 0)
        rig.later(minutes=10)
        rig.rented.running.clear()
        rig.step(4)
        assert rig.rented.launches == 1
        found = job_of(rig, job.id)
        assert (found.state, found.reason["code"]) == ("held", "over-budget")
        rig.planner.rules.budgets["month"] = "2.00"  # type: ignore[index]
        rig.run(ResumeJob(job.id))
        to_the_end(rig, serve(rig))
        assert rig.job_state(job) == "done"


def test_money_that_another_job_may_give_back_is_waited_for(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path, budgets={"job": None, "month": "0.385", "total": None})
        first, second = rig.job(), rig.job()
        rig.step()
        doomed = rig.read(lambda c: instances.of_job(c, TENANT, second.id))[0]
        rig.later(minutes=1)
        rig.rented.running = {
            i: seen for i, seen in rig.rented.running.items() if seen.label != doomed.label
        }
        rig.step(5)
        assert job_of(rig, second.id).reason["code"] == "over-budget"
        assert rig.job_state(second) == "waiting"
        rig.run(CancelJob(first.id))
        rig.step(8)
        assert job_of(rig, second.id).reason is None
        assert rig.rented.launches == 3


def test_a_second_instance_that_no_budget_covers_does_not_end_the_job(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(
            database,
            tmp_path,
            budgets={"job": None, "month": "0.05", "total": None},
            instances_max=3,
            segments_per_task=1,
        )
        job = rig.job(segments=4)
        to_the_end(rig, serve(rig))
        assert rig.job_state(job) == "done"
        assert rig.rented.launches == 1


def test_a_launch_that_created_nothing_costs_nothing(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [UnknownOutcome("timeout"), NoCapacity("gone")]
    rig.step()
    rig.later(minutes=2)
    rig.step(2)
    spent = rig.read(lambda conn: money.spent(conn, TENANT, job.id))
    assert spent == 0


class Dear(Rented):
    """Rents by the started hour, and disks apart."""

    def offers(self, want: Requirements) -> Iterator[Offer]:
        for found in super().offers(want):
            yield replace(found, minimum_eur=Decimal("0.20"), storage_eur_per_hour=Decimal("0.06"))


def test_minimum_and_storage_are_reserved_and_charged(rig: Rig) -> None:
    dear = Dear()
    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = dear
    job = rig.job()
    assert rig.read(lambda conn: money.held(conn, TENANT, job.id)) == Decimal("0.42")
    to_the_end(rig, serve(rig))
    assert rig.read(lambda conn: money.spent(conn, TENANT, job.id)) == Decimal("0.20")
    assert rig.read(lambda conn: money.held(conn, TENANT)) == 0


def test_a_decision_that_is_started_late_reserves_its_whole_term(rig: Rig) -> None:
    job = rig.job()
    rig.run(CancelJob(job.id))
    rig.later(hours=5)
    found = rig.job()
    decision = job_of(rig, found.id).decision_id
    assert decision
    instance = rig.read(lambda c: instances.of_job(c, TENANT, found.id))[0]
    assert instance.end_by > rig.time


def test_an_old_decision_gets_a_term_that_begins_now(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    rig.later(hours=20)
    job = rig.run(StartJob(decision.id, "test1234", 4))
    instance = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert instance.end_by == rig.time + timedelta(hours=1)
    assert rig.read(lambda conn: money.held(conn, TENANT)) == Decimal("0.36")
