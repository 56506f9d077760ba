"""What a person or a provider does when nobody expects it, and what is left when time has passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.audit import verify
from leitstand.control.cases import OpenCase
from leitstand.control.instances import DrainInstance, Launch
from leitstand.control.jobs import CancelJob, GiveUpJob, HoldJob, ReadReport, ResumeJob, StartJob
from leitstand.control.leases import Claim
from leitstand.control.media import OpenMedium, OpenUpload, RefuseMedium
from leitstand.control.membership import Enrol
from leitstand.control.plan import Wish
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Problem
from leitstand.ports import NoCapacity, NoFunds, Seen, Status, Unavailable, UnknownOutcome
from leitstand.store import attempts, effects, instances, jobs, media, money, tables
from leitstand.store.engine import Database
from tests.control.rig import OPERATOR, TENANT, Rented, Rig, Verifier, Worker, serve


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


def job_of(rig: Rig, job_id: str) -> Any:
    return rig.read(lambda conn: jobs.find(conn, TENANT, job_id))


def media_states(rig: Rig, job_id: str) -> list[str]:
    return [m.state for m in rig.read(lambda conn: media.of_job(conn, TENANT, job_id))]


def to_the_end(rig: Rig, worker: Worker) -> None:
    worker.work_all()
    rig.step()
    worker.work_all()
    rig.step(6)


# --- holding and cancelling ----------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["intended", "launching", "booting", "admitting", "ready"])
def test_a_hold_releases_the_instance_whatever_it_is_doing(rig: Rig, moment: str) -> None:
    job = rig.job()
    if moment == "launching":
        rig.rented.fails = [UnknownOutcome("timeout")]
    if moment != "intended":
        rig.reconciler.step(rig.time)
        rig.effects.step(rig.time)
    if moment in ("admitting", "ready"):
        worker = Worker.newest(rig)
        worker.enrol()
        if moment == "ready":
            worker.admit()
    assert rig.instance_states() == [moment]
    rig.run(HoldJob(job.id))
    rig.step(8)
    assert rig.instance_states() == ["terminated"]
    assert rig.rented.running == {}
    assert rig.read(lambda conn: money.held(conn, TENANT)) == 0
    assert rig.job_state(job) == "held"
    rig.run(ResumeJob(job.id))
    to_the_end(rig, serve(rig))
    assert rig.job_state(job) == "done"


def test_a_report_that_is_finished_while_its_job_is_held_ends_the_job(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    worker.work_all()
    rig.step()
    lease = worker.claim()[0]
    assert lease["task"]["pipeline"] == "fuse"
    rig.run(HoldJob(job.id))
    worker.work(lease)
    assert rig.job_state(job) == "done"


def test_held_may_be_said_only_of_a_held_job(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    for _ in range(limits.ATTEMPTS_MAX):
        worker.finish(worker.claim()[0], "held")
    assert worker.claim() == []
    task = rig.read(lambda conn: jobs.tasks_of(conn, TENANT, job.id))[0]
    assert task.state == "failed"
    assert task.attempts_max == limits.ATTEMPTS_MAX


def test_a_held_job_keeps_its_media_for_their_term_and_ends_with_them(rig: Rig) -> None:
    job = rig.job()
    rig.run(HoldJob(job.id))
    rig.later(hours=23)
    rig.step(2)
    assert (rig.job_state(job), media_states(rig, job.id)) == ("held", ["ready"])
    rig.later(hours=2)
    rig.step(3)
    assert job_of(rig, job.id).reason["code"] == "media-expired"
    assert (rig.job_state(job), media_states(rig, job.id)) == ("failed", ["erased"])
    with pytest.raises(Problem, match="job-changed"):
        rig.run(ResumeJob(job.id))


def test_resuming_in_time_keeps_the_media(rig: Rig) -> None:
    job = rig.job()
    rig.run(HoldJob(job.id))
    rig.later(hours=23)
    rig.run(ResumeJob(job.id))
    rig.later(hours=2)
    rig.upkeep.step(rig.time)
    assert media_states(rig, job.id) == ["ready"]


def test_a_job_that_fails_for_good_fences_who_still_works_on_it(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    rig.rented.running.clear()
    rig.rented.fails = [NoFunds("empty")] * 1_000
    for _ in range(1_200):
        rig.step()
        if rig.job_state(job) == "failed":
            break
        rig.later(minutes=5)
    assert job_of(rig, job.id).reason["code"] == "no-instance-stays"
    assert worker.beat(lease, 1) == "fenced"
    assert rig.read(attempts.live_by_instance) == {}


def test_twelve_holds_in_a_row_do_not_end_a_job(rig: Rig) -> None:
    job = rig.job()
    for _ in range(limits.LAUNCHES_PER_JOB_MAX + 4):
        serve(rig)
        rig.run(HoldJob(job.id))
        rig.step(6)
        assert rig.instance_states()[-1] == "terminated"
        rig.run(ResumeJob(job.id))
    to_the_end(rig, serve(rig))
    assert rig.job_state(job) == "done"


@pytest.mark.parametrize("how", ["drained", "its term", "lost"])
def test_instances_that_worked_do_not_count_as_ones_that_did_not_stay(rig: Rig, how: str) -> None:
    job = rig.job(segments=limits.LAUNCHES_PER_JOB_MAX + 4)
    for number in range(limits.LAUNCHES_PER_JOB_MAX + 4):
        worker = serve(rig)
        lease = worker.claim()[0]
        worker.result(lease, lease["segments"][0]["number"])
        if len(lease["segments"]) == 1:
            worker.finish(lease)
        if how == "drained":
            rig.run(DrainInstance(worker.id))
        elif how == "its term":
            rig.later(minutes=59)
        else:
            rig.rented.running.clear()
        rig.later(seconds=61)
        rig.step(8)
        assert rig.job_state(job) in ("waiting", "running"), number
    to_the_end(rig, Worker.newest(rig).ready())
    assert rig.job_state(job) == "done"


def test_instances_that_end_before_they_commit_anything_are_given_up_on(rig: Rig) -> None:
    job = rig.job()
    for _ in range(limits.LAUNCHES_PER_JOB_MAX + 2):
        rig.step(2)
        rig.rented.running.clear()
        rig.step(4)
    assert rig.rented.launches == limits.LAUNCHES_PER_JOB_MAX
    assert job_of(rig, job.id).reason["code"] == "no-instance-stays"


def test_an_instance_that_leaves_while_it_drains_keeps_the_reason_it_drained_for(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    worker.claim()
    rig.run(HoldJob(job.id))
    rig.run(DrainInstance(worker.id))
    rig.rented.running.clear()
    rig.step(6)
    found = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert (found.state, found.reason["code"]) == ("terminated", "asked")


def test_a_job_that_cannot_go_on_is_held_with_all_that_was_committed(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    worker.result(worker.claim()[0], 0)
    rig.rented.running.clear()
    rig.step(4)
    for _ in range(limits.LAUNCHES_PER_JOB_MAX):
        rig.step(2)
        rig.rented.running.clear()
        rig.step(4)
    found = job_of(rig, job.id)
    assert (found.state, found.reason["code"]) == ("held", "no-instance-stays")
    committed = rig.read(lambda c: attempts.results_of_job(c, TENANT, job.id))
    assert {result.object_id for result in committed} < set(rig.blobs.held)
    assert media_states(rig, job.id) == ["ready"]
    rig.run(ResumeJob(job.id))
    again = serve(rig)
    lease = again.claim()[0]
    assert [segment["number"] for segment in lease["segments"]] == [1]
    again.work(lease)
    to_the_end(rig, again)
    assert rig.job_state(job) == "done"


def test_a_job_that_was_given_up_on_while_a_person_held_it_stays_held(rig: Rig) -> None:
    job = rig.job()
    rig.run(HoldJob(job.id))
    rig.run(GiveUpJob(job.id, {"code": "over-budget", "params": {}}), SYSTEM)
    assert (rig.job_state(job), job_of(rig, job.id).reason) == ("held", None)


@pytest.mark.parametrize("blame", ["item", "model", "us"])
def test_a_report_that_cannot_be_made_holds_its_job_and_is_tried_anew(rig: Rig, blame: str) -> None:
    job = rig.job()
    worker = serve(rig)
    worker.work_all()
    rig.step()
    reason = {"code": "result-too-large", "params": {}}
    while leases := worker.claim():
        assert leases[0]["task"]["pipeline"] == "fuse"
        worker.finish(leases[0], "failed", reason=reason, blame=blame)
        rig.later(seconds=3)
    assert (rig.job_state(job), job_of(rig, job.id).reason) == ("held", reason)
    assert len(rig.read(lambda c: attempts.results_of_job(c, TENANT, job.id))) == 2
    rig.run(ResumeJob(job.id))
    worker.work_all()
    assert rig.job_state(job) == "done"


# --- money ---------------------------------------------------------------------------------------


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
        assert job_of(rig, job.id).reason["code"] == "over-budget"


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
    providers: Any = rig.planner._providers
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


# --- terms and instances -------------------------------------------------------------------------


def test_a_job_that_outlives_its_instance_goes_on_with_another(rig: Rig) -> None:
    job = rig.job(segments=8)
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.result(lease, 0)
    rig.later(minutes=58, seconds=5)
    assert worker.beat(lease, 1) == "go"
    rig.step(3)
    first = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert first.state == "draining"
    assert first.reason == {"code": "end-by", "params": {}}
    worker.finish(lease, "failed", blame="host")
    rig.step(3)
    assert rig.instance_states()[0] == "terminated"
    ended = rig.read(lambda c: instances.find(c, TENANT, first.id))
    assert ended.ended_at <= first.end_by
    to_the_end(rig, Worker.newest(rig).ready())
    assert rig.job_state(job) == "done"


def test_an_instance_that_its_host_stopped_is_ended_and_its_work_is_free_at_once(rig: Rig) -> None:
    rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    (provider_id,) = rig.rented.running
    seen = rig.rented.running[provider_id]
    rig.rented.running[provider_id] = Seen(provider_id, seen.label, Status.STOPPED)
    rig.reconciler.step(rig.time)
    assert rig.read(attempts.live_by_instance) == {}
    assert worker.beat(lease, 1) == "fenced"
    rig.step(6)
    assert rig.instance_states()[0] == "terminated"
    assert provider_id not in rig.rented.running


def test_f14_the_second_of_two_instances_of_one_launch_is_ended(rig: Rig) -> None:
    job = rig.job()
    rig.step(2)
    (provider_id,) = rig.rented.running
    twin = rig.rented.running[provider_id]
    rig.rented.running["p0"] = Seen("p0", twin.label, Status.RUNNING)
    rig.rented.running["p9"] = Seen("p9", twin.label, Status.RUNNING)
    rig.step(3)
    assert set(rig.rented.running) == {provider_id}
    to_the_end(rig, Worker.newest(rig).ready())
    assert rig.job_state(job) == "done"


def test_what_a_provider_gives_otherwise_than_offered_is_ended(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    (provider_id,) = rig.rented.running
    seen = rig.rented.running[provider_id]
    rig.rented.running[provider_id] = Seen(
        provider_id, seen.label, Status.RUNNING, price_eur_per_hour="0.37"
    )
    rig.step(1)
    found = rig.read(lambda c: instances.page(c, TENANT, None, 9))[-1]
    assert found.reason == {"code": "mismatch", "params": {}}


def test_an_instance_launched_while_the_provider_was_listing_is_no_orphan(rig: Rig) -> None:
    rig.job()
    listed = rig.rented.list

    def slow() -> Any:
        rig.effects.step(rig.time)
        return listed()

    rig.rented.list = slow  # type: ignore[method-assign]
    rig.reconciler.step(rig.time)
    rig.rented.list = listed  # type: ignore[method-assign]
    rig.step(2)
    assert rig.rented.ends == []
    assert rig.rented.launches == 1
    assert rig.instance_states() == ["booting"]


# --- refusals ------------------------------------------------------------------------------------


def test_f23_a_provider_that_is_away_for_hours_makes_a_job_wait_not_fail(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [Unavailable("down")] * 1_000
    for _ in range(120):
        rig.step()
        rig.later(seconds=59)
    assert rig.job_state(job) == "waiting"
    assert job_of(rig, job.id).reason["code"] == "provider-unavailable"
    assert rig.rented.launches < 40
    rig.rented.fails = []
    rig.later(minutes=5)
    to_the_end(rig, serve(rig))
    assert rig.job_state(job) == "done"
    assert job_of(rig, job.id).reason is None


def test_a_job_whose_only_offer_is_gone_says_so_and_takes_the_next_one(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    offers = rig.rented.offers
    rig.rented.offers = lambda want: []  # type: ignore[method-assign]
    rig.step(3)
    assert job_of(rig, job.id).reason == {"code": "no-offer", "params": {"rejected": 0}}
    told = rig.read(lambda c: c.execute(tables.events.select()).all())
    assert {"state": "waiting", "reason": job_of(rig, job.id).reason} in [e.facts for e in told]
    rig.rented.offers = offers  # type: ignore[method-assign]
    rig.step(2)
    assert job_of(rig, job.id).reason is None
    assert rig.rented.launches == 2


def test_a_price_cap_holds_for_every_launch_not_only_the_first(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    rules: Any = rig.planner.rules
    rules.price_max["rented"] = Decimal("0.30")
    rig.step(4)
    assert rig.rented.launches == 1
    assert job_of(rig, job.id).reason == {"code": "no-offer", "params": {"rejected": 1}}


def test_a_providers_regions_hold_for_the_plan_and_for_every_launch(rig: Rig) -> None:
    rig.rented.tier = "B"
    rules: Any = rig.planner.rules
    rules.regions["rented"] = ("us-east",)
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    assert decision.verdict["chosen"] is None
    (fallen,) = decision.reasons["rejected"]
    assert (fallen["rule"], fallen["has"], fallen["needs"]) == ("region", "eu", "us-east")
    rules.regions["rented"] = ("eu", "us-east")
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    rules.regions["rented"] = ("us-east",)
    rig.step(4)
    assert rig.rented.launches == 1
    assert job_of(rig, job.id).reason == {"code": "no-offer", "params": {"rejected": 1}}


def test_a_provider_that_is_no_longer_configured_stops_nothing_else(rig: Rig) -> None:
    rig.job()
    serve(rig)
    providers: Any = rig.planner._providers
    kept = dict(providers)
    providers.clear()
    rig.run(HoldJob(rig.read(lambda c: jobs.page(c, TENANT, None, 1))[0].id))
    rig.step(6)
    assert rig.instance_states() == ["terminating"]
    providers.update(kept)
    rig.later(minutes=5)
    rig.step(4)
    assert rig.instance_states() == ["terminated"]


def test_an_end_that_failed_for_days_is_still_asked_for(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    rig.run(CancelJob(job.id))
    ended = rig.rented.terminate

    def broken(provider_id: str) -> None:
        raise ValueError(provider_id)

    rig.rented.terminate = broken  # type: ignore[method-assign]
    for _ in range(80):
        rig.step()
        rig.later(minutes=5)
    instance = rig.read(instances.alive)[0]
    effect = rig.read(lambda c: effects.of_kind(c, "terminate", [instance.id]))[instance.id]
    assert effect.attempts > 60
    rig.rented.terminate = ended  # type: ignore[method-assign]
    rig.later(minutes=5)
    rig.step(4)
    assert rig.instance_states() == ["terminated"]


def test_a_task_that_fits_nowhere_beside_others_is_done_alone(rig: Rig) -> None:
    rig.job(media=2)
    worker = serve(rig)
    small = Claim(worker.id, 2, 0.1, 0.0)
    (lease,) = rig.run(small, worker.actor)
    assert rig.run(replace(small, holding=(lease["attempt"],)), worker.actor) == []


# --- what is left --------------------------------------------------------------------------------


def test_what_was_derived_ends_with_the_job_and_its_report_with_its_term(rig: Rig) -> None:
    job = rig.job()
    to_the_end(rig, serve(rig))
    report = rig.run(ReadReport(job.id))
    assert set(rig.blobs.held) == {report}
    rig.later(days=179)
    rig.step()
    assert set(rig.blobs.held) == {report}
    rig.later(days=2)
    rig.step(3)
    assert rig.blobs.held == {}
    with pytest.raises(Problem, match="key-destroyed"):
        rig.run(ReadReport(job.id))
    verdict = rig.read(lambda c: verify(c, Verifier(rig.signer.verifier_key)))
    assert verdict.faults == []


def test_files_that_nobody_analysed_or_that_failed_are_erased_with_all_they_had(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    ready = rig.medium(case.id)
    failed = rig.run(OpenMedium(case.id, "a", 5)).id
    rig.run(RefuseMedium(failed, "not-media", {}))
    begun = rig.run(OpenMedium(case.id, "b", 5)).id
    upload = rig.run(OpenUpload(begun, 5, "0" * 64, ("0" * 64,)))
    rig.blobs.put(f"{upload.id}.0", [b"part"])
    rig.later(hours=25)
    rig.step(3)
    ids = [ready, failed, begun]
    states = {m.id: m.state for m in rig.read(lambda c: media.find(c, TENANT, ids))}
    assert set(states.values()) == {"erased"}
    assert rig.blobs.held == {}
    for table in (tables.segments, tables.uploads, tables.objects):
        assert rig.read(lambda c, table=table: c.execute(table.select()).all()) == []
    secrets = rig.read(lambda c: c.execute(tables.keys.select()).all())
    assert {k.owner_id for k in secrets if k.wrapped is None} >= set(ids)


def test_blobs_that_no_row_names_are_swept_once_they_are_old(rig: Rig) -> None:
    job = rig.job(case="K-1")
    named = set(rig.blobs.held)
    lost = rig.door.ids.new("object", rig.time)
    part = f"{rig.door.ids.new('upload', rig.time)}.3"
    for name in (lost, part, "README", "object_nonsense"):
        rig.blobs.put(name, [b"x"])
    rig.step()
    assert {lost, part} <= set(rig.blobs.held)
    rig.run(HoldJob(job.id))
    rig.later(hours=25)
    rig.step()
    assert set(rig.blobs.held) == named | {"README", "object_nonsense"}


def test_media_of_two_jobs_are_kept_until_the_second_ends(rig: Rig) -> None:
    first = rig.job()
    found = rig.read(lambda c: media.of_job(c, TENANT, first.id))
    wish = Wish(first.case_id, tuple(m.id for m in found), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    second = rig.run(StartJob(decision.id, "test1234", 4))
    rig.run(CancelJob(first.id))
    rig.step(3)
    assert media_states(rig, second.id) == ["ready"]
    rig.run(CancelJob(second.id))
    rig.step(3)
    assert media_states(rig, second.id) == ["erased"]


def test_nothing_that_is_shown_or_logged_holds_a_token_or_a_key(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    spec = next(iter(rig.rented.specs.values()))
    command = Enrol(worker.token, b"", b"", {}, rig.authority)
    launch = Launch(rig.read(instances.alive)[0], worker.token)
    for shown in (command, launch, spec):
        assert worker.token not in repr(shown)


# --- two control planes --------------------------------------------------------------------------


def test_f3_two_planes_of_one_database_share_the_work_and_double_none(
    postgresql_url: str, tmp_path: Path
) -> None:
    with Database.open(postgresql_url) as database:
        one = Rig(database, tmp_path, segments_per_task=1)
        two = Rig(database, tmp_path, seed=9, segments_per_task=1)
        for part in (two.effects, two.dispatcher, two.upkeep):
            part._blobs = one.blobs
        providers: Any = two.planner._providers
        providers["rented"] = one.rented
        two.blobs, two.rented = one.blobs, one.rented
        job = one.job(segments=4)
        for rig in (one, two, one, two):
            rig.step()
        assert one.rented.launches == 1
        worker = Worker.newest(one).ready()
        for round_ in range(12):
            worker.rig = (one, two)[round_ % 2]
            for lease in worker.claim():
                worker.work(lease)
            worker.rig.step()
        assert one.job_state(job) == "done"
        results = one.read(partial(attempts.results_of_job, tenant=TENANT, job_id=job.id))
        assert len({(r.task_id, r.segment) for r in results}) == len(results) == 5
        one.step(4)
        two.step(4)
        assert set(one.instance_states()) == {"terminated"}
        verdict = one.read(lambda c: verify(c, Verifier(one.signer.verifier_key)))
        assert verdict.faults == []
