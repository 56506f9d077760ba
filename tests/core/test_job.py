"""The states of jobs, tasks and attempts, and what ends or repeats them."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.job import (
    ATTEMPT,
    BLAMES,
    JOB,
    TASK,
    after_failure,
    after_loss,
    job_event,
    progress_due,
    runs,
)
from leitstand.core.machine import Machine, NotAllowed
from leitstand.core.medium import MEDIUM
from tests.core.rows import NOW

CONTRACT: dict[str, tuple[Machine, dict[tuple[str, str], str]]] = {
    "job": (
        JOB,
        {
            ("planned", "start"): "waiting",
            ("planned", "cancel"): "cancelled",
            ("waiting", "work"): "running",
            ("waiting", "hold"): "held",
            ("waiting", "finish"): "done",
            ("waiting", "fail"): "failed",
            ("waiting", "cancel"): "cancelled",
            ("running", "wait"): "waiting",
            ("running", "hold"): "held",
            ("running", "finish"): "done",
            ("running", "fail"): "failed",
            ("running", "cancel"): "cancelled",
            ("held", "resume"): "waiting",
            ("held", "finish"): "done",
            ("held", "fail"): "failed",
            ("held", "cancel"): "cancelled",
        },
    ),
    "task": (
        TASK,
        {
            ("blocked", "unblock"): "queued",
            ("blocked", "fail"): "failed",
            ("blocked", "cancel"): "cancelled",
            ("queued", "claim"): "leased",
            ("queued", "fail"): "failed",
            ("queued", "cancel"): "cancelled",
            ("leased", "requeue"): "queued",
            ("leased", "finish"): "done",
            ("leased", "fail"): "failed",
            ("leased", "cancel"): "cancelled",
        },
    ),
    "attempt": (
        ATTEMPT,
        {
            ("live", "finish"): "done",
            ("live", "fail"): "failed",
            ("live", "lose"): "lost",
            ("live", "fence"): "fenced",
        },
    ),
    "medium": (
        MEDIUM,
        {
            ("receiving", "received"): "intake",
            ("receiving", "refused"): "failed",
            ("receiving", "erase"): "erasing",
            ("intake", "taken"): "ready",
            ("intake", "refused"): "failed",
            ("ready", "erase"): "erasing",
            ("failed", "erase"): "erasing",
            ("erasing", "erased"): "erased",
        },
    ),
}


@pytest.mark.parametrize("noun", CONTRACT)
def test_every_pair_is_the_contracts_or_raises(noun: str) -> None:
    machine, table = CONTRACT[noun]
    events = {event for _, event in table}
    for state, event in itertools.product(machine.states(), events):
        if (state, event) in table:
            assert machine.after(state, event) == table[state, event]
        else:
            with pytest.raises(NotAllowed):
                machine.after(state, event)
    assert set(machine.table) == set(table)
    assert not {state for state, _ in machine.table} & machine.final


@given(st.integers(0, 500), st.integers(1, 40))
def test_runs_cover_every_segment_once_in_order(count: int, length: int) -> None:
    found = runs(count, length)
    assert [n for first, last in found for n in range(first, last + 1)] == list(range(count))
    assert all(last - first < length for first, last in found)


@given(st.sampled_from(BLAMES), st.integers(1, 9), st.integers(1, 9))
def test_a_task_is_tried_again_only_while_attempts_remain(blame: str, used: int, most: int) -> None:
    event = after_failure(blame, used, most)
    assert (event == "requeue") == (blame != "item" and used < most)
    assert (after_loss(used, most) == "requeue") == (used < most)


TASK_STATES = sorted(TASK.states())


@pytest.mark.parametrize("job_state", sorted(JOB.states()))
def test_a_job_moves_with_its_report_and_its_first_lease(job_state: str) -> None:
    for fuse, other in itertools.product(TASK_STATES, TASK_STATES):
        event = job_event(job_state, [("video", other), ("fuse", fuse)])
        if job_state not in ("waiting", "running", "held"):
            assert event is None
        elif fuse == "done":
            assert event == "finish"
        elif job_state == "waiting" and "leased" in (fuse, other):
            assert event == "work"
        else:
            assert event is None
        if event is not None:
            JOB.after(job_state, event)


def test_failed_media_do_not_fail_a_job() -> None:
    assert job_event("running", [("video", "failed"), ("fuse", "queued")]) is None
    assert job_event("running", [("video", "failed"), ("fuse", "done")]) == "finish"


@pytest.mark.parametrize(
    ("seconds", "forecast", "due"),
    [(60, 1.0, False), (61, 1.0, True), (180, 60.0, False), (181, 60.0, True)],
)
def test_progress_is_due_after_three_forecasts_and_at_least_a_minute(
    seconds: int, forecast: float, *, due: bool
) -> None:
    assert progress_due(NOW - timedelta(seconds=seconds), NOW, forecast) is due
