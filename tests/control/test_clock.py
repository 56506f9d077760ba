"""A clock that jumps back stops launches, leases and keys, says so, and not for ever."""

from __future__ import annotations

from datetime import timedelta

from leitstand.control.commands import Steady
from leitstand.core import limits
from leitstand.store import jobs
from tests.control.rig import START, TENANT, Rig, serve


class Clock:
    """Wall time and period, each set by the test."""

    def __init__(self) -> None:
        self.time, self.period = START, 0.0

    def now(self):  # type: ignore[no-untyped-def]
        return self.time

    def monotonic(self) -> float:
        return self.period

    def run(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        self.period += seconds


def reason_of(rig: Rig, job_id: str) -> object:
    return rig.read(lambda conn: jobs.find(conn, TENANT, job_id)).reason


def test_a_small_correction_is_no_jump() -> None:
    clock = Clock()
    steady = Steady(clock)
    assert not steady.jumped_back()
    clock.time -= limits.BACKWARD_JUMP_MAX
    assert not steady.jumped_back()


def test_a_jump_counts_until_the_clock_has_caught_up() -> None:
    clock = Clock()
    steady = Steady(clock)
    assert not steady.jumped_back()
    clock.time -= timedelta(seconds=60)
    assert steady.jumped_back()
    clock.run(59)
    assert steady.jumped_back()
    clock.run(1)
    assert not steady.jumped_back()


def test_a_clock_that_was_put_forward_and_mended_stops_nothing_for_longer_than_the_hold() -> None:
    clock = Clock()
    steady = Steady(clock)
    clock.time += timedelta(days=365)
    assert not steady.jumped_back()
    clock.time -= timedelta(days=365)
    assert steady.jumped_back()
    hold = limits.BACKWARD_JUMP_HOLD.total_seconds()
    clock.run(hold - 1)
    assert steady.jumped_back()
    clock.run(1)
    assert not steady.jumped_back()
    clock.time -= timedelta(seconds=60)
    assert steady.jumped_back()


def test_f40_a_jump_back_stops_launches_with_a_reason_until_it_is_over(rig: Rig) -> None:
    job = rig.job()
    rig.later(hours=-1)
    rig.step(3)
    assert rig.rented.launches == 0
    assert reason_of(rig, job.id) == {"code": "clock-jumped-back", "params": {}}
    rig.later(hours=1)
    rig.step(2)
    assert rig.rented.launches == 1
    assert reason_of(rig, job.id) is None


def test_f40_a_jump_back_costs_no_attempt(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    rig.later(minutes=-10)
    for _ in range(8):
        assert worker.claim() == []
        rig.step()
    assert reason_of(rig, job.id) == {"code": "clock-jumped-back", "params": {}}
    assert rig.instance_states() == ["ready"]
    rig.later(minutes=10)
    assert [task["attempt"] for task in worker.claim()]
