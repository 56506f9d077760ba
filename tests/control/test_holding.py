"""What a person may do to a job at any moment, and what a job does that cannot go on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from leitstand.control.instances import DrainInstance
from leitstand.control.jobs import GiveUpJob, HoldJob, ResumeJob
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.problem import Problem
from leitstand.ports import NoCapacity, NoFunds, UnknownOutcome
from leitstand.store import attempts, instances, jobs, money
from tests.control.rig import (
    TENANT,
    Rig,
    Worker,
    job_of,
    media_states,
    serve,
    to_the_end,
)


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
    job = rig.job(segments=limits.LAUNCHES_PER_JOB_MAX + 4, max_cost_eur=Decimal(20))
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


def test_a_refusal_between_two_losses_does_not_begin_their_count_anew(rig: Rig) -> None:
    job = rig.job()
    lost = 0
    while rig.job_state(job) in jobs.OPEN and lost < 2 * limits.LAUNCHES_PER_JOB_MAX:
        rig.step(4)
        Worker.newest(rig).ready().claim()
        assert rig.job_state(job) == "running"
        rig.rented.running.clear()
        rig.rented.fails = [NoCapacity("gone")]
        rig.step(5)
        rig.later(minutes=6)
        lost += 1
    assert lost == limits.LAUNCHES_PER_JOB_MAX
    assert job_of(rig, job.id).reason["code"] == "no-instance-stays"


def test_a_resumed_job_begins_the_count_of_losses_anew(rig: Rig) -> None:
    job = rig.job(media=2)
    worker = serve(rig)
    worker.result(worker.claim()[0], 0)
    for _ in range(2):
        launched = rig.rented.launches
        while rig.job_state(job) in jobs.OPEN:
            rig.rented.running.clear()
            rig.step(4)
        assert rig.rented.launches - launched == limits.LAUNCHES_PER_JOB_MAX
        assert job_of(rig, job.id).reason["code"] == "no-instance-stays"
        rig.run(ResumeJob(job.id))


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
