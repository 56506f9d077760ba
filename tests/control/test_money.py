"""What a cap bounds, what instances of one job share, and that no time is booked twice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from leitstand.control import money as envelopes
from leitstand.control.cases import OpenCase
from leitstand.control.decision import document
from leitstand.control.jobs import StartJob
from leitstand.control.money import AccrueCosts
from leitstand.control.plan import Wish
from leitstand.core import limits
from leitstand.core.cost import accrued, spelled
from leitstand.core.problem import Problem
from leitstand.store import instances, jobs, money, tables
from leitstand.store.engine import Database
from tests.control.rig import OPERATOR, TENANT, Rig, Worker, serve


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    rig = Rig(database, tmp_path)
    rig.planner.rules.end_by_hours_max["rented"] = 24.0  # type: ignore[index]
    return rig


def decide(rig: Rig, **wish: Any) -> jobs.Decision:
    case = rig.run(OpenCase("inbox"))
    asked = Wish(case.id, (rig.medium(case.id),), "people", "en", **wish)
    return rig.planner.decide(asked, OPERATOR, rig.time)


def test_a_cap_shortens_the_term_instead_of_refusing_the_job(rig: Rig) -> None:
    cap = Decimal("0.20")
    job = rig.job(max_cost_eur=cap)
    instance = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert instance.end_by == rig.time + timedelta(seconds=2000) - limits.ENDING
    assert rig.read(lambda c: money.held(c, TENANT, job.id)) == Decimal("0.194")


def test_a_cap_holds_for_an_instance_that_is_slow_to_go(rig: Rig) -> None:
    job = rig.job(max_cost_eur=Decimal("0.20"))
    worker = serve(rig)
    worker.result(worker.claim()[0], 0)
    instance = rig.read(instances.alive)[0]
    rig.time = instance.end_by
    rig.rented.stubborn = True
    rig.step(40)
    rig.rented.stubborn = False
    rig.step(10)
    assert rig.read(lambda c: instances.find(c, TENANT, instance.id)).state == "terminated"
    spent = rig.read(lambda c: money.spent(c, TENANT, job.id))
    assert Decimal("0.194") < spent <= Decimal("0.20")


def test_a_cap_above_the_longest_term_changes_nothing(rig: Rig) -> None:
    job = rig.job(max_cost_eur=Decimal(100))
    instance = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert instance.end_by == rig.time + timedelta(hours=24)


def test_a_cap_that_the_work_does_not_fit_in_is_a_rule_that_every_offer_fails(rig: Rig) -> None:
    decision = decide(rig, max_cost_eur=Decimal("0.01"))
    assert decision.verdict["chosen"] is None
    (fallen,) = decision.reasons["rejected"]
    assert (fallen["rule"], fallen["has"]) == ("budget", "0.010000")
    assert Decimal(fallen["needs"]) - Decimal(fallen["short_by"]) == Decimal("0.01")
    with pytest.raises(Problem, match="no-offer"):
        rig.run(StartJob(decision.id, "test1234", 4))


def test_what_a_plan_says_it_reserves_is_what_starting_it_reserves(rig: Rig) -> None:
    decision = decide(rig, max_cost_eur=Decimal("0.20"))
    rig.later(hours=1)
    job = rig.run(StartJob(decision.id, "test1234", 4))
    held = rig.read(lambda c: money.held(c, TENANT, job.id))
    assert held == Decimal(decision.verdict["chosen"]["worst_eur"])


def test_instances_of_a_job_share_its_cap(database: Database, tmp_path: Path) -> None:
    rig = Rig(database, tmp_path, instances_max=3, segments_per_task=1)
    job = rig.job(segments=5, max_cost_eur=Decimal("0.30"))
    rig.step(4)
    assert rig.instance_states() == ["booting"] * 3
    held = rig.read(lambda c: money.held(c, TENANT, job.id))
    spent = rig.read(lambda c: money.spent(c, TENANT, job.id))
    assert Decimal("0.28") < held + spent <= Decimal("0.30")


def test_a_job_goes_on_with_what_is_left_for_the_tasks_that_are_left(
    database: Database, tmp_path: Path
) -> None:
    rig = Rig(database, tmp_path, segments_per_task=1)
    cap = Decimal("0.10")
    job = rig.job(segments=10, max_cost_eur=cap)
    worker = serve(rig)
    for _ in range(8):
        worker.work(worker.claim()[0])
    rig.later(minutes=10)
    rig.rented.running.clear()
    rig.step(4)
    assert rig.rented.launches == 2
    second = Worker.newest(rig).ready()
    second.work_all()
    rig.step()
    second.work_all()
    rig.step(6)
    assert rig.job_state(job) == "done"
    assert rig.read(lambda c: money.spent(c, TENANT, job.id)) <= cap


def test_a_cap_that_is_spent_ends_the_job(rig: Rig) -> None:
    job = rig.job(max_cost_eur=Decimal("0.07"))
    serve(rig)
    rig.later(minutes=10)
    rig.rented.running.clear()
    rig.step(4)
    found = rig.read(lambda c: jobs.find(c, TENANT, job.id))
    assert found.state == "failed"
    assert found.reason["code"] == "over-budget"
    assert found.reason["params"]["budget"] == "job"


def test_the_row_of_an_instance_is_locked_while_its_time_is_booked(
    postgresql_url: str, tmp_path: Path
) -> None:
    with Database.open(postgresql_url) as database, Database.open(postgresql_url) as other:
        rig = Rig(database, tmp_path)
        rig.job()
        serve(rig)
        instance = rig.read(instances.alive)[0]
        nowait = (
            sa.select(tables.instances.c.id)
            .where(tables.instances.c.id == instance.id)
            .with_for_update(nowait=True)
        )

        def booked_and_asked(conn: Connection) -> int:
            tx = rig.door.look(rig.time + timedelta(minutes=5), conn)
            tx.writes = True
            count = AccrueCosts().apply(tx)
            with pytest.raises(Problem, match="55P03"):  # lock not available
                other.write(lambda c: c.execute(nowait).all())
            return count

        assert database.write(booked_and_asked) == 1


def test_a_moment_of_an_instance_is_booked_once(rig: Rig) -> None:
    rig.job()
    serve(rig)
    rig.later(minutes=5)
    rig.step()
    rows = rig.read(lambda c: c.execute(tables.charges.select()).mappings().all())
    again = {**rows[-1], "id": "charge_again"}
    with pytest.raises(sa.exc.IntegrityError):
        rig.database.write(lambda c: c.execute(tables.charges.insert().values(again)))


def test_spent_and_reserved_are_read_in_one_statement(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    rig.later(minutes=5)
    rig.step()
    asked: list[str] = []

    def read(conn: Connection) -> Any:
        sa.event.listen(conn, "before_cursor_execute", lambda *given: asked.append(given[2]))
        none = {"job": None, "month": None, "total": None}
        return envelopes.budgets(rig.door.look(rig.time, conn), job.id, None, none)

    of_job, month, total = rig.read(read)
    assert len(asked) == 1
    assert of_job.spent_eur == month.spent_eur == total.spent_eur > 0
    assert of_job.reserved_eur == month.reserved_eur == total.reserved_eur > 0


def test_the_inputs_of_a_report_hold_what_its_instance_cost_until_then(rig: Rig) -> None:
    job = rig.job()
    serve(rig).work_all()
    rig.later(seconds=30)
    rig.dispatcher.step(rig.time)
    fuse = rig.read(lambda c: jobs.task_of(c, TENANT, job.id, "fuse"))

    def opened(conn: Connection) -> bytes:
        tx = rig.door.look(rig.time, conn)
        body = rig.blobs.held[fuse.input_object_id]
        return b"".join(tx.vault.decrypt(tx.secret(job.key_id), [body]))

    document = json.loads(rig.read(opened))
    instance = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    costs = document["costs"]
    assert costs["lines"][-1]["to"] == document["made_at"]
    assert costs["total_eur"] == spelled(accrued(instance.price, instance.created_at, rig.time))


def many_machines(rig: Rig) -> Rig:
    one = rig.rented.offers
    rig.rented.offers = lambda want: [  # type: ignore[method-assign]
        replace(offer, offer_id=f"o{n}", host=f"h{n}") for offer in one(want) for n in range(6)
    ]
    return rig


@pytest.mark.parametrize("pieces", [1, 2, 8])
def test_all_that_a_job_reserves_is_what_was_agreed_to(
    database: Database, tmp_path: Path, pieces: int
) -> None:
    rig = many_machines(Rig(database, tmp_path, instances_max=4, segments_per_task=1))
    rig.rented.tier = "B"
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id, pieces),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    agreed = Decimal(document(decision)["reservation_eur"])
    at_once = min(4, pieces)
    assert agreed == at_once * Decimal("0.36")
    job = rig.run(StartJob(decision.id, "test1234", 1))
    assert job.budget_cap == agreed
    rig.step(6)
    held = rig.read(lambda c: money.held(c, TENANT, job.id))
    spent = rig.read(lambda c: money.spent(c, TENANT, job.id))
    assert rig.instance_states() == ["booting"] * at_once
    assert agreed - Decimal("0.01") < held + spent <= agreed


def test_what_is_agreed_to_lasts_for_work_that_outlasts_a_term(rig: Rig) -> None:
    rig.planner.rules.end_by_hours_max["rented"] = 0.5  # type: ignore[index]
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id, 100),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    chosen = decision.verdict["chosen"]
    busy = datetime.fromisoformat(chosen["finish_at"]) - rig.time
    assert busy > timedelta(hours=0.5)
    assert Decimal(document(decision)["reservation_eur"]) * 3600 >= (
        Decimal("0.36") * Decimal(busy.total_seconds())
    )


def test_of_a_budget_no_more_is_agreed_to_than_is_left(database: Database, tmp_path: Path) -> None:
    budgets = {"job": None, "month": None, "total": "0.80"}
    rig = Rig(database, tmp_path, instances_max=4, segments_per_task=1, budgets=budgets)
    decision = decide(rig)
    agreed = Decimal(document(decision)["reservation_eur"])
    assert Decimal(decision.verdict["chosen"]["worst_eur"]) < agreed <= Decimal("0.80")


def test_a_plan_that_costs_nothing_bounds_nothing(rig: Rig) -> None:
    rig.rented.price = Decimal(0)
    assert rig.job().budget_cap is None
