"""A provider whose list suddenly shows none of many instances: nothing is written off at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand.core import limits
from leitstand.core.job import Job
from leitstand.ports import ProviderError
from leitstand.store import instances
from leitstand.store.engine import Database
from tests.control.rig import TENANT, Rig, Worker, job_of

LAG = timedelta(seconds=10)


class Many(Rig):
    """Three ready instances of one job, on a provider whose lists may be old."""

    def __init__(self, database: Database, folder: Path, count: int = 3) -> None:
        super().__init__(database, folder, instances_max=count, segments_per_task=1)
        self.rented.listing_lag = LAG
        self.started: Job = self.job(segments=12)
        self.step(3)
        self.workers = [Worker(self, spec) for spec in self.rented.specs.values()]
        assert len(self.workers) == count
        for worker in self.workers:
            worker.ready()
        self.minutes(0.5)
        self.hidden: dict[str, Any] = {}

    def hide(self, count: int | None = None) -> None:
        """The list does not show them any more; they run all the same."""
        for name in list(self.rented.running)[:count]:
            self.hidden[name] = self.rented.running.pop(name)

    def minutes(self, minutes: float) -> None:
        for _ in range(round(minutes * 60 / 6)):
            self.step()
            self.later(seconds=5)

    def ids(self) -> list[str]:
        return [one.id for one in self.read(lambda c: instances.of_job(c, TENANT, self.started.id))]


@pytest.fixture
def many(sqlite_url: str, tmp_path: Path) -> Any:
    with Database.open(sqlite_url, relaxed=True) as database:
        database.migrate()
        yield Many(database, tmp_path)


def test_a_list_that_suddenly_is_empty_ends_nobody_and_raises_one_alarm(many: Many) -> None:
    many.hide()
    many.minutes(5)
    assert many.instance_states() == ["ready"] * 3
    assert many.rented.ends == []
    [alarm] = many.alarms()
    assert alarm.subject_id == many.started.id
    assert (alarm.facts["code"], alarm.facts["provider"]) == ("list-doubted", "rented")
    many.rented.running.update(many.hidden)
    many.minutes(1)
    many.hide()
    many.minutes(1)
    assert len(many.alarms()) == 2, "the next time is another"
    assert many.instance_states() == ["ready"] * 3


def test_nothing_is_launched_where_a_list_is_doubted_and_its_job_says_why(many: Many) -> None:
    many.hide()
    many.minutes(0.5)
    other = many.job()
    many.minutes(1)
    assert many.rented.launches == 3
    assert many.instance_states() == ["ready"] * 3 + ["intended"]
    assert job_of(many, other.id).reason == {
        "code": "list-doubted", "params": {"provider": "rented", "count": 3}
    }  # fmt: skip
    many.rented.running.update(many.hidden)
    many.minutes(1)
    assert many.rented.launches > 3


def test_a_list_that_stays_empty_is_believed_once_nobody_is_heard(many: Many) -> None:
    worker = many.workers[0]
    [lease] = worker.claim()
    many.hide()
    later = round(limits.EMPTY_BELIEVED_AFTER.total_seconds() / 60) + 2
    for number in range(later * 6):
        worker.beat(lease, number + 1)
        many.minutes(1 / 6)
    assert many.instance_states() == ["ready"] * 3, "one is heard, so the list is wrong"
    many.minutes(4)
    assert many.instance_states()[:3] == ["terminated"] * 3
    assert sorted(many.rented.ends[:3]) == sorted(many.hidden), "ended all the same"
    assert many.rented.launches > 3, "and replaced"


def test_one_of_many_that_vanishes_is_written_off_as_ever(many: Many) -> None:
    many.hide(1)
    many.minutes(1)
    assert sorted(many.instance_states()[:3]) == ["ready", "ready", "terminated"]
    assert many.alarms() == []


def test_two_that_vanish_are_not_many(sqlite_url: str, tmp_path: Path) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        database.migrate()
        two = Many(database, tmp_path, count=2)
        two.hide()
        two.minutes(1)
        assert two.instance_states()[:2] == ["terminated"] * 2


def test_the_own_machine_s_list_is_the_truth(many: Many) -> None:
    many.rented.listing_lag = timedelta(0)
    many.hide()
    many.minutes(0.5)
    assert many.instance_states()[:3] == ["terminated"] * 3


def test_a_new_one_that_is_listed_lifts_no_doubt_about_the_others(many: Many) -> None:
    many.job()
    many.step(2)
    assert len(many.rented.running) > 3
    many.hide(3)
    many.minutes(2)
    assert many.instance_states()[:3] == ["ready"] * 3
    assert many.instance_states()[3] == "booting"
    assert len(many.alarms()) == 1


def test_one_that_is_heard_is_written_off_by_no_list(sqlite_url: str, tmp_path: Path) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        database.migrate()
        one = Many(database, tmp_path, count=1)
        [lease] = one.workers[0].claim()
        one.hide()
        for number in range(12):
            assert one.workers[0].beat(lease, number + 1) == "go"
            one.minutes(1 / 6)
        assert one.instance_states() == ["ready"]
        assert (one.rented.launches, one.rented.ends) == (1, [])
        one.later(minutes=2)
        one.minutes(1)
        assert one.instance_states()[0] == "terminated", "it fell silent"


def test_nothing_is_rented_in_place_of_what_vanished_before_its_end_is_answered(rig: Rig) -> None:
    rig.rented.tier, rig.rented.listing_lag = "B", LAG
    rig.job()
    rig.step(2)
    rig.rented.running.clear()
    end = rig.rented.terminate

    def refuses(provider_id: str) -> None:
        raise ProviderError("HTTP 500")

    rig.rented.terminate = refuses  # type: ignore[method-assign]
    rig.step(60)
    assert rig.instance_states() == ["terminated"]
    rig.rented.terminate = end  # type: ignore[method-assign]
    rig.later(minutes=5)
    rig.step(3)
    assert rig.instance_states() == ["terminated", "booting"]
