"""One item that fails or hangs stops no other, and however many there are each gets its turn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from leitstand.control import dispatch
from leitstand.control.cases import OpenCase
from leitstand.control.effects import Launches
from leitstand.control.instances import BeginLaunch, IntendInstance, Observe
from leitstand.control.jobs import CancelJob
from leitstand.control.media import RetainMedia
from leitstand.control.turns import Rounds
from leitstand.core import limits
from leitstand.core.placement import Offer
from leitstand.ports import LaunchSpec, Seen
from leitstand.store import effects, instances, jobs, money
from tests.control.rig import TENANT, Rig, Worker


class Broken(Exception):
    """What nobody expected."""


@pytest.fixture
def breaks(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], bool]], None]:
    """Makes the door raise for some commands."""

    def make(chosen: Callable[[Any], bool]) -> None:
        run = rig.door.run

        def broken(command: Any, actor: Any, now: datetime) -> Any:
            if chosen(command):
                raise Broken
            return run(command, actor, now)

        monkeypatch.setattr(rig.door, "run", broken)

    return make


def of_job(rig: Rig, job_id: str) -> list[Any]:
    found: list[Any] = rig.read(lambda c: instances.of_job(c, TENANT, job_id))
    return found


def test_a_job_whose_inputs_cannot_be_written_delays_no_other_report(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = rig.job(), rig.job()
    rig.step(2)
    for spec in list(rig.rented.specs.values()):
        Worker(rig, spec).ready().work_all()
    made = dispatch.inputs_of

    def broken(tx: Any, job: Any) -> bytes:
        if job.id == first.id:
            raise Broken
        return made(tx, job)

    monkeypatch.setattr(dispatch, "inputs_of", broken)
    with pytest.raises(Broken):
        rig.dispatcher.step(rig.time)
    fuses = [
        rig.read(lambda c, job=job: jobs.task_of(c, TENANT, job.id, "fuse").state)
        for job in (first, second)
    ]
    assert fuses == ["blocked", "queued"]


def test_a_launch_that_cannot_be_begun_delays_no_other_call(rig: Rig, breaks: Any) -> None:
    first, second = rig.job(), rig.job()
    (doomed,) = of_job(rig, first.id)
    breaks(lambda command: isinstance(command, BeginLaunch) and command.instance_id == doomed.id)
    with pytest.raises(Broken):
        rig.effects.step(rig.time)
    assert [of_job(rig, job.id)[0].state for job in (first, second)] == ["intended", "booting"]


def test_an_instance_and_a_job_that_cannot_be_served_delay_no_other(rig: Rig, breaks: Any) -> None:
    first, second, third, fourth = (rig.job() for _ in range(4))
    rig.step(2)
    rig.run(CancelJob(first.id))
    rig.run(CancelJob(second.id))
    for job in (third, fourth):
        rig.rented.running = {
            i: seen
            for i, seen in rig.rented.running.items()
            if seen.label != of_job(rig, job.id)[0].label
        }
    doomed = of_job(rig, first.id)[0].id
    breaks(
        lambda command: (
            (isinstance(command, Observe) and command.actions[0][0].id == doomed)
            or (isinstance(command, IntendInstance) and command.job_id == third.id)
        )
    )
    for _ in range(8):
        with pytest.raises(Broken):
            rig.reconciler.step(rig.time)
        rig.effects.step(rig.time)
        rig.later(seconds=1)
    assert of_job(rig, first.id)[0].state == "booting"
    assert rig.read(lambda c: instances.serving(c, third.id)) == []
    assert of_job(rig, second.id)[0].state == "terminated"
    assert rig.read(lambda c: instances.serving(c, fourth.id))


def test_a_medium_that_cannot_be_erased_stops_no_booking_of_costs(rig: Rig, breaks: Any) -> None:
    job = rig.job()
    rig.step(2)
    case = rig.run(OpenCase("K-1"))
    rig.medium(case.id)
    rig.later(hours=25)
    breaks(lambda command: isinstance(command, RetainMedia))
    with pytest.raises(Broken):
        rig.upkeep.step(rig.time)
    assert rig.read(lambda c: money.spent(c, TENANT, job.id)) > 0


def test_a_launch_call_that_does_not_end_is_given_up_on_and_what_it_makes_late_is_ended(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that a launch created nothing rests on this: no call is waited for longer than
    `LAUNCH_CALL_MAX_OWN`, and what a late one creates has no living record."""
    monkeypatch.setattr(limits, "LAUNCH_CALL_MAX_OWN", timedelta(0))
    rig.effects._launches = Launches()
    begun, go_on = threading.Event(), threading.Event()
    done = threading.Event()
    launch = rig.rented.launch

    def hangs(offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        begun.set()
        assert go_on.wait(60)
        seen = launch(offer, spec, label)
        done.set()
        return seen

    monkeypatch.setattr(rig.rented, "launch", hangs)
    job = rig.job()
    rig.effects.step(rig.time)
    assert begun.wait(60)
    (instance,) = of_job(rig, job.id)
    assert instance.state == "launching"
    found = rig.read(lambda c: effects.by_key(c, f"launch:{instance.id}"))
    assert found.state == "unknown"
    rig.run(CancelJob(job.id))
    rig.later(seconds=1)
    rig.step(2)
    assert of_job(rig, job.id)[0].state == "terminated"
    go_on.set()
    assert done.wait(60)
    assert len(rig.rented.running) == 1
    rig.step(3)
    assert rig.rented.running == {}


def test_every_open_job_gets_its_turn_however_many_there_are(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "UNITS_PER_STEP_MAX", 2)
    made = [rig.job(segments=1).id for _ in range(5)]
    rounds = Rounds(rig.database)
    pages = [[work.job.id for work in rounds.next()] for _ in range(4)]
    assert pages == [made[0:2], made[2:4], made[4:5], made[0:2]]
    rig.run(CancelJob(made[2]))
    rig.run(CancelJob(made[3]))
    rig.run(CancelJob(made[4]))
    assert [work.job.id for work in rounds.next()] == made[0:2]
    rig.step(6)
    states = {job: of_job(rig, job)[0].state for job in made[:2]}
    assert set(states.values()) == {"booting"}
