"""Which clock a proof reads, and in which order things are written: what ends an instance, numbers
an entry and feeds a stream rests on these."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from leitstand.control import transaction
from leitstand.control.jobs import HoldJob
from leitstand.control.sequence import in_order
from leitstand.core import limits
from leitstand.core.ledger import entry_leaf, leaf_hash
from leitstand.core.problem import Problem
from leitstand.ports import UnknownOutcome
from leitstand.store import effects, instances, locks
from leitstand.store.engine import Database
from leitstand.store.ledger import Entry
from tests.control.rig import START, Rig, serve

LAG = timedelta(seconds=10)
LOCK_TIMEOUT = "55P03"
SLOW = 25.0
"""Seconds that a slow call takes: longer than two lags."""


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        found = Rig(database, tmp_path)
        found.rented.listing_lag = LAG
        yield found


def slowly(rig: Rig, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Makes a call of the provider take its time after what it answers was true."""
    does = getattr(rig.rented, call)

    def slow(*given: Any) -> Any:
        try:
            return does(*given)
        finally:
            rig.later(seconds=SLOW)

    monkeypatch.setattr(rig.rented, call, slow)


def test_two_absences_are_a_lag_apart_by_the_end_of_the_first_listing_and_the_start_of_the_second(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.job()
    serve(rig)
    rig.later(seconds=60)
    rig.rented.running.clear()
    slowly(rig, monkeypatch, "list")
    rig.reconciler.step(rig.time)
    first_ended = rig.time
    assert rig.read(instances.alive)[0].absent_since == first_ended
    rig.later(seconds=LAG.total_seconds())
    rig.reconciler.step(rig.time)
    assert rig.instance_states()[0] == "ready"
    assert rig.time - first_ended > 2 * LAG
    rig.reconciler.step(rig.time)
    assert rig.instance_states()[0] == "terminated"


class Death(BaseException):
    """The control plane is gone in the middle of a call."""


@pytest.mark.parametrize("ends", [UnknownOutcome("timeout"), Death()])
def test_a_launch_is_given_up_on_two_lags_after_its_call_ended_not_after_its_step_began(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, ends: BaseException
) -> None:
    slowly(rig, monkeypatch, "launch")
    rig.job()
    rig.rented.fails = [ends]  # type: ignore[list-item]
    begun = rig.time
    try:
        rig.effects.step(rig.time)
        over = rig.time
    except Death:
        over = begun + limits.LAUNCH_CALL_MAX_OWN
    (instance,) = rig.read(instances.alive)
    found = rig.read(lambda c: effects.by_key(c, f"launch:{instance.id}"))
    assert (found.state, found.not_before) == ("unknown", over)
    rig.time = over + 2 * LAG
    rig.reconciler.step(rig.time)
    assert rig.instance_states()[0] == "launching"
    rig.later(seconds=LAG.total_seconds())
    rig.reconciler.step(rig.time)
    assert rig.instance_states()[0] == "terminated"


def entry(number: int, subject: str, version: int, before: str | None, after: str) -> Entry:
    leaf = entry_leaf(
        at=START,
        type="job.x",
        actor="x",
        subject=subject,
        case=None,
        version=version,
        before=before,
        after=after,
        row=None,
    )
    return Entry(f"entry_{number}", subject, leaf, leaf_hash(leaf), None)


def test_entries_about_one_subject_stand_by_version_and_what_only_happened_behind_the_change() -> (
    None
):
    created = entry(4, "job", 1, None, "waiting")
    worked = entry(3, "job", 2, "waiting", "running")
    read = entry(1, "job", 2, "running", "running")
    ended = entry(2, "job", 3, "running", "done")
    other = entry(5, "medium", 1, None, "ready")
    by_id = [read, ended, worked, created, other]
    assert in_order(by_id) == [created, worked, read, ended, other]


def test_places_of_one_subject_are_kept_among_those_of_others() -> None:
    late, other, early = (
        entry(1, "job", 2, "waiting", "running"),
        entry(2, "medium", 1, None, "ready"),
        entry(3, "job", 1, None, "waiting"),
    )
    assert in_order([late, other, early]) == [early, other, late]


def test_events_are_the_last_that_a_transaction_writes_and_are_numbered_under_the_lock(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = rig.job()
    log: list[str] = []
    wrote, held = transaction.add, locks.hold

    def add(conn: Any, table: Any, rows: Any) -> None:
        log.append(table.name)
        wrote(conn, table, rows)

    def hold(conn: Any, name: str) -> None:
        log.append(f"lock {name}")
        held(conn, name)

    monkeypatch.setattr(transaction, "add", add)
    monkeypatch.setattr(locks, "hold", hold)
    rig.run(HoldJob(job.id))
    assert log[-3:] == ["entries", "lock events", "events"]


def test_no_second_transaction_numbers_events_before_the_first_is_committed(
    postgresql_url: str, tmp_path: Path
) -> None:
    with (
        Database.open(postgresql_url) as database,
        Database.open(postgresql_url) as other,
    ):
        rig = Rig(database, tmp_path)

        def try_lock(conn: Any) -> None:
            conn.execute(text("SET LOCAL lock_timeout = '1ms'"))
            locks.hold(conn, "events")

        def holding(conn: Any) -> None:
            tx = rig.door.look(rig.time, conn)
            tx.event("job_1", "job", state="running")
            tx.flush()
            with pytest.raises(Problem, match=LOCK_TIMEOUT):
                other.write(try_lock)

        database.write(holding)
        other.write(try_lock)


def test_while_an_instance_ends_the_next_look_comes_with_the_next_listing_that_tells_anything_new(
    rig: Rig,
) -> None:
    rig.job()
    serve(rig)
    assert rig.reconciler.step(rig.time) is None
    rig.later(seconds=60)
    rig.rented.running.clear()
    assert rig.reconciler.step(rig.time) is None, "nobody knew before this listing"
    assert rig.reconciler.step(rig.time) == LAG / 2
    rig.later(seconds=11)
    rig.reconciler.step(rig.time)
    assert rig.instance_states()[0] == "terminated"
    assert rig.reconciler.step(rig.time) is None
