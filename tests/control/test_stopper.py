"""A job is stopped even where nothing can be written down, and its cancellation is not forgotten."""

from __future__ import annotations

import pytest

from leitstand.control.jobs import CancelJob
from leitstand.core.problem import Problem
from tests.control.rig import OPERATOR, Rig, serve
from tests.unwritable import unwritable


def not_kept(rig: Rig, job_id: str) -> Problem:
    with pytest.raises(Problem) as raised:
        rig.stopper.cancel(job_id, OPERATOR, rig.time)
    assert raised.value.code == "cancel-not-kept"
    return raised.value


def test_its_instances_are_ended_unwritten_and_the_cancellation_follows(rig: Rig) -> None:
    other = rig.job()
    rig.step(2)
    kept = set(rig.rented.running)
    job = rig.job()
    serve(rig).claim()
    (ours,) = set(rig.rented.running) - kept
    with unwritable(rig.database):
        told = not_kept(rig, job.id).params
        assert (told["left"], told["store"]) == (1, "store-unavailable")
        assert rig.rented.ends == [ours]
        assert not_kept(rig, job.id).params["left"] == 0
        rig.stopper.step(rig.time)
    assert rig.job_state(job) == "running"

    rig.stopper.step(rig.time)
    launches = rig.rented.launches
    rig.step(8)
    assert rig.job_state(job) == "cancelled"
    assert rig.rented.launches == launches
    assert rig.job_state(other) == "waiting"
    assert set(rig.rented.running) == kept


def test_a_job_that_ended_meanwhile_is_not_cancelled_again(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    with unwritable(rig.database):
        not_kept(rig, job.id)
    rig.run(CancelJob(job.id))
    rig.stopper.step(rig.time)
    ends = list(rig.rented.ends)
    with unwritable(rig.database):
        rig.stopper.step(rig.time)
    assert rig.rented.ends == ends


def test_a_provider_that_does_not_answer_leaves_its_instances_counted(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    rig.rented.silent = True
    with unwritable(rig.database):
        assert not_kept(rig, job.id).params["left"] == 1


def test_what_is_wrong_with_the_wish_is_no_matter_of_the_database(rig: Rig) -> None:
    with pytest.raises(Problem) as raised:
        rig.stopper.cancel("job_unknown", OPERATOR, rig.time)
    assert raised.value.code == "unknown-job"
