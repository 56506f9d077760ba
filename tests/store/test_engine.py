"""Reading, writing, locking and closing, on both databases."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from leitstand.core.problem import Exit, Problem
from leitstand.messages import Texts
from leitstand.store.engine import Database

THREADS = 8
_metadata = sa.MetaData()
counters = sa.Table(
    "counters",
    _metadata,
    sa.Column("name", sa.String(20), primary_key=True),
    sa.Column("value", sa.Integer, nullable=False),
)
steps = sa.Table(
    "steps",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("counter", sa.String(20), sa.ForeignKey("counters.name"), nullable=False),
)


@pytest.fixture
def counted(database: Database) -> Database:
    """A database with a counter at zero."""

    def make(connection: Connection) -> None:
        _metadata.create_all(connection)
        connection.execute(counters.insert().values(name="a", value=0))

    database.write(make)
    return database


def value(connection: Connection) -> int:
    found = connection.scalar(sa.select(counters.c.value).where(counters.c.name == "a"))
    assert found is not None
    return int(found)


def set_to(number: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(counters.update().values(value=number))

    return work


def read_decide_write(connection: Connection) -> bool:
    """Whether the guard held; a stale decision changes nothing."""
    seen = value(connection)
    changed = connection.execute(
        counters.update()
        .where(counters.c.name == "a", counters.c.value == seen)
        .values(value=seen + 1)
    )
    if changed.rowcount != 1:
        return False
    connection.execute(steps.insert().values(number=seen, counter="a"))
    return True


def lose_none(database: Database, each: int) -> None:
    def commands() -> int:
        stale = 0
        for _ in range(each):
            while not database.write(read_decide_write):
                stale += 1
        return stale

    with ThreadPoolExecutor(THREADS) as pool:
        stale = sum(future.result() for future in [pool.submit(commands) for _ in range(THREADS)])
    assert database.read(value) == THREADS * each
    numbers = database.read(lambda c: c.scalars(sa.select(steps.c.number)).all())
    assert sorted(numbers) == list(range(THREADS * each))
    if database.dialect == "sqlite":
        assert stale == 0, "one writer never sees a stale value"


def test_eight_threads_lose_no_read_decide_write(counted: Database) -> None:
    lose_none(counted, 100)


@pytest.mark.full
def test_eight_threads_of_a_thousand_lose_no_read_decide_write(counted: Database) -> None:
    lose_none(counted, 1_000)


def test_write_returns_the_result_and_passes_exceptions_on(counted: Database) -> None:
    def fails(connection: Connection) -> None:
        set_to(7)(connection)
        raise LookupError("decided otherwise")

    assert counted.write(lambda c: value(c) + 41) == 41
    with pytest.raises(LookupError, match="decided otherwise"):
        counted.write(fails)
    assert counted.read(value) == 0


def test_a_violated_constraint_is_not_hidden_and_shows_no_values(counted: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError) as raised:
        counted.write(lambda c: c.execute(steps.insert().values(number=98765, counter="nobody")))
    assert "98765" not in str(raised.value)
    assert counted.read(lambda c: c.scalar(sa.select(sa.func.count()).select_from(steps))) == 0


def test_a_read_sees_one_snapshot_while_others_write(counted: Database) -> None:
    def work(connection: Connection) -> tuple[int, int]:
        before = value(connection)
        counted.write(set_to(5))
        return before, value(connection)

    assert counted.read(work) == (0, 0)
    assert counted.read(value) == 5


def test_a_read_cannot_write(counted: Database) -> None:
    with pytest.raises((sa.exc.DBAPIError, Problem)):
        counted.read(set_to(5))
    assert counted.read(value) == 0


def test_after_commit_is_called_once_the_change_is_visible(counted: Database) -> None:
    seen: list[int] = []
    counted.after_commit(lambda: seen.append(counted.read(value)))
    counted.write(set_to(3))
    assert seen == [3]


def test_after_commit_is_not_called_for_a_failed_command(counted: Database) -> None:
    calls: list[int] = []
    counted.after_commit(lambda: calls.append(1))
    with pytest.raises(ZeroDivisionError):
        counted.write(lambda c: value(c) // 0)
    assert calls == []


def test_a_failing_callback_hides_no_result_and_no_other_callback(counted: Database) -> None:
    calls: list[int] = []
    counted.after_commit(lambda: calls.append(1 // 0))
    counted.after_commit(lambda: calls.append(1))
    counted.write(set_to(3))
    assert (counted.read(value), calls) == (3, [1])


def test_a_commit_that_changed_nothing_calls_nobody(counted: Database) -> None:
    calls: list[int] = []
    counted.after_commit(lambda: calls.append(1))
    assert counted.write(value) == 0
    assert calls == []


def test_a_named_lock_has_one_holder(counted: Database) -> None:
    with counted.named_lock("reconcile") as first:
        with counted.named_lock("reconcile") as second, counted.named_lock("dispatch") as other:
            assert (first, second, other) == (True, False, True)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: enter(counted)).result() is False
    assert enter(counted) is True


def enter(database: Database) -> bool:
    with database.named_lock("reconcile") as held:
        return held


def test_a_named_lock_is_free_after_an_error(counted: Database) -> None:
    with pytest.raises(LookupError), counted.named_lock("reconcile"):
        raise LookupError
    assert enter(counted) is True


def test_two_control_planes_share_named_locks_on_postgresql(postgresql_url: str) -> None:
    with Database.open(postgresql_url) as one, Database.open(postgresql_url) as two:
        with one.named_lock("reconcile") as held:
            assert held and not enter(two)
        assert enter(two)


def test_a_closed_database_refuses(counted: Database) -> None:
    counted.close()
    counted.close()
    for refused in (lambda: counted.write(value), lambda: counted.read(value), counted.migrate):
        with pytest.raises(Problem) as raised:
            refused()
        assert raised.value.code == "store-unavailable"
        assert raised.value.params["reason"] == "closed"


def test_a_deadlock_is_tried_again(postgresql_url: str) -> None:
    with Database.open(postgresql_url) as database:
        database.write(_metadata.create_all)
        database.write(
            lambda c: c.execute(
                counters.insert(), [{"name": "a", "value": 0}, {"name": "b", "value": 0}]
            )
        )
        first_locks = threading.Barrier(2)
        tries: dict[str, int] = {"a": 0, "b": 0}

        def both(mine: str, other: str) -> Callable[[Connection], None]:
            def work(connection: Connection) -> None:
                tries[mine] += 1
                for name in (mine, other):
                    connection.execute(
                        counters.update()
                        .where(counters.c.name == name)
                        .values(value=counters.c.value + 1)
                    )
                    if name == mine and tries[mine] == 1:
                        first_locks.wait(timeout=60)

            return work

        with ThreadPoolExecutor(2) as pool:
            for done in [
                pool.submit(database.write, both("a", "b")),
                pool.submit(database.write, both("b", "a")),
            ]:
                done.result()
        values = database.read(lambda c: c.scalars(sa.select(counters.c.value)).all())
        assert list(values) == [2, 2]
        assert sum(tries.values()) >= 3


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x"]
)
def test_an_address_of_another_kind_is_a_usage_error(url: str) -> None:
    with pytest.raises(Problem) as raised:
        Database.open(url)
    assert (raised.value.code, raised.value.exit) == ("store-url", Exit.USAGE)


def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Problem) as raised:
        Database.open("postgresql://app@/nowhere")
    assert (raised.value.code, raised.value.exit) == ("missing-extra", Exit.USAGE)
    assert raised.value.params["extra"] == "postgres"


def test_nobody_at_the_address_is_a_problem_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        Database.open(f"postgresql://app:topsecret@/nowhere?host={tmp_path}")
    assert raised.value.code == "store-unavailable"
    assert "topsecret" not in str(raised.value)


def test_a_database_that_is_away_is_named_as_it_was_given(tmp_path: Path) -> None:
    url = f"postgresql:///nowhere?host={tmp_path}"
    with pytest.raises(Problem) as raised:
        Database.open(url)
    assert raised.value.params["where"] == url
    for lang, why in (("en", "no connection to it"), ("de", "keine Verbindung zu ihr")):
        assert Texts(lang).problem(raised.value.code, raised.value.params).why == why


@pytest.fixture
def unusable(tmp_path: Path) -> Iterator[dict[str, Path]]:
    (tmp_path / "other.db").write_bytes(b"This is a letter, not a database." * 100)
    yield {
        "no folder": tmp_path / "absent" / "x.db",
        "a folder": tmp_path,
        "another file": tmp_path / "other.db",
    }


@pytest.mark.parametrize("kind", ["no folder", "a folder", "another file"])
def test_a_path_that_is_no_database_is_a_problem(unusable: dict[str, Path], kind: str) -> None:
    with pytest.raises(Problem) as raised:
        Database.open(f"sqlite:///{unusable[kind]}")
    assert (raised.value.code, raised.value.exit) == ("store-unavailable", Exit.UNREACHABLE)


def test_a_database_that_another_process_holds_is_a_problem(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.store.connect.BUSY_MILLISECONDS", 1)
    holder = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    with Database.open(sqlite_url, relaxed=True) as database:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Problem) as raised:
            database.write(lambda c: None)
        assert raised.value.params["reason"] == "SQLITE_BUSY"
        holder.execute("ROLLBACK")
        holder.close()
        database.write(lambda c: None)
