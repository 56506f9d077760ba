"""What only SQLite promises: one writer, batches with savepoints, files, durability."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from tests.unwritable import unwritable

from leitstand.core.problem import Problem
from leitstand.store.engine import Database

rows = sa.Table("numbers", sa.MetaData(), sa.Column("n", sa.Integer, primary_key=True))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.open(f"sqlite:///{tmp_path / 'x.db'}", relaxed=True) as opened:
        opened.write(lambda c: rows.create(c))
        yield opened


def insert(number: int) -> Callable[[Connection], int]:
    def work(connection: Connection) -> int:
        connection.execute(rows.insert().values(n=number))
        return number

    return work


def numbers(database: Database) -> list[int]:
    return list(database.read(lambda c: c.scalars(sa.select(rows.c.n).order_by(rows.c.n)).all()))


class Held:
    """Keeps the writer busy, so that what is sent meanwhile lands in one batch."""

    def __init__(self, database: Database, pool: ThreadPoolExecutor) -> None:
        self._database = database
        self._pool = pool
        self._release = threading.Event()
        busy = threading.Event()

        def hold(_connection: Connection) -> None:
            busy.set()
            assert self._release.wait(60)

        self._first = pool.submit(database.write, hold)
        assert busy.wait(60)

    def send(self, *works: Callable[[Connection], int]) -> list[Future[int]]:
        """Queue the works in this order."""
        writer = self._database._writer
        assert writer is not None
        sent = []
        for work in works:
            sent.append(self._pool.submit(self._database.write, work))
            with writer._changed:
                assert writer._changed.wait_for(lambda: len(writer._waiting) == len(sent), 60)
        return sent

    def release(self) -> None:
        self._release.set()
        self._first.result()


def test_a_failing_command_rolls_back_alone_in_its_batch(database: Database) -> None:
    def fails(connection: Connection) -> int:
        insert(2)(connection)
        raise LookupError("mine alone")

    commits: list[list[int]] = []
    database.after_commit(lambda: commits.append(numbers(database)))
    with ThreadPoolExecutor(8) as pool:
        held = Held(database, pool)
        first, failing, clashing, last = held.send(insert(1), fails, insert(1), insert(3))
        held.release()
        assert (first.result(), last.result()) == (1, 3)
        with pytest.raises(LookupError, match="mine alone"):
            failing.result()
        with pytest.raises(sa.exc.IntegrityError):
            clashing.result()
    assert numbers(database) == [1, 3]
    assert commits == [[1, 3]], "one commit for the whole batch"


def test_nobody_hears_of_success_before_the_commit(database: Database) -> None:
    heard: list[bool] = []

    def look(_connection: Connection) -> int:
        heard.append(earlier[0].done())
        return 0

    with ThreadPoolExecutor(8) as pool:
        held = Held(database, pool)
        earlier = held.send(insert(1), look)
        held.release()
        assert [future.result() for future in earlier] == [1, 0]
    assert heard == [False]


def test_a_commit_that_fails_is_heard_by_all_of_its_batch(database: Database) -> None:
    def breaks(connection: Connection) -> int:
        # as SQLite itself does when the disk is full
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.rollback()
        return 9

    calls: list[int] = []
    with ThreadPoolExecutor(8) as pool:
        held = Held(database, pool)
        database.after_commit(lambda: calls.append(1))
        sent = held.send(insert(1), breaks, insert(2))
        held.release()
        assert all(future.exception() is not None for future in sent)
    assert numbers(database) == []
    assert database.write(insert(5)) == 5
    assert calls == [1], "the last command alone"


def test_a_command_that_ends_its_transaction_is_told_and_the_next_one_works(
    database: Database,
) -> None:
    def commits(connection: Connection) -> None:
        insert(1)(connection)
        connection.commit()

    with pytest.raises((sa.exc.InvalidRequestError, RuntimeError)):
        database.write(commits)
    assert database.write(insert(2)) == 2


def test_a_command_inside_a_command_is_refused(database: Database) -> None:
    with pytest.raises(RuntimeError, match="cannot wait"):
        database.write(lambda _: database.write(insert(1)))
    assert numbers(database) == []


def test_close_finishes_what_was_accepted(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        held = Held(database, pool)
        sent = held.send(insert(1), insert(2))
        closing = pool.submit(database.close)
        held.release()
        assert [future.result() for future in sent] == [1, 2]
        closing.result()
    with pytest.raises(Problem) as raised:
        database.write(insert(3))
    assert raised.value.params["reason"] == "closed"


def test_a_full_disk_is_a_problem_and_loses_nothing_committed(database: Database) -> None:
    database.write(insert(1))

    def fills(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        connection.exec_driver_sql("CREATE TABLE blobs (b BLOB)")
        connection.exec_driver_sql("INSERT INTO blobs VALUES (zeroblob(1000000))")

    with pytest.raises(Problem) as raised:
        database.write(fills)
    assert raised.value.code == "store-full"
    assert numbers(database) == [1]


def test_why_nothing_can_be_written_is_known_until_something_is(database: Database) -> None:
    def changed(connection: Connection) -> None:
        raise Problem("job-changed")

    assert database.failing is None
    with unwritable(database), pytest.raises(Problem) as raised:
        database.write(insert(1))
    assert database.failing is raised.value
    with pytest.raises(Problem, match="job-changed"):
        database.write(changed)
    assert database.failing is raised.value
    database.write(lambda c: c.scalar(sa.select(rows.c.n)))
    assert database.failing is raised.value, "what changed nothing proves nothing"
    database.write(insert(1))
    assert database.failing is None


def test_connections_keep_the_promises_of_the_contract(tmp_path: Path) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}

    def settings(connection: Connection) -> dict[str, object]:
        return {n: connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in wanted}

    with Database.open(f"sqlite:///{tmp_path / 'x.db'}") as opened:
        assert opened.write(settings) == wanted
        assert opened.read(settings) == wanted


def test_the_files_are_for_their_owner_only(database: Database, tmp_path: Path) -> None:
    database.write(insert(1))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_a_closed_database_is_one_file(database: Database, tmp_path: Path) -> None:
    database.write(insert(1))
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


WRITES_AND_TELLS = """
import sys, threading
from leitstand.store.engine import Database
database = Database.open("sqlite:///" + sys.argv[1])
def run(start):
    for n in range(start, 10**9, 4):
        database.write(lambda c: c.exec_driver_sql("INSERT INTO numbers VALUES (?)", (n,)))
        sys.stdout.write(f"{n}\\n"); sys.stdout.flush()
for start in range(4):
    threading.Thread(target=run, args=(start,)).start()
"""


def killed_run(path: Path, lines: int) -> list[int]:
    """Numbers that a process said were written before it was killed after about `lines`."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES_AND_TELLS, path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(lines)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.communicate()[0].splitlines(keepends=True)
    return [int(line) for line in told if line.endswith("\n")]


def kills_lose_nothing(path: Path, kills: int) -> None:
    draw = random.Random(kills)
    for _ in range(kills):
        path.unlink(missing_ok=True)
        with Database.open(f"sqlite:///{path}") as opened:
            opened.write(lambda c: rows.create(c))
        told = killed_run(path, draw.randrange(1, 400))
        with Database.open(f"sqlite:///{path}") as opened:
            kept = numbers(opened)
            assert (
                opened.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"
            )
        assert set(told) <= set(kept)
        assert len(kept) <= len(told) + 4, "only commands that nobody was told of may be kept too"


def test_a_kill_loses_nothing_that_was_told(tmp_path: Path) -> None:
    kills_lose_nothing(tmp_path / "x.db", 1)


@pytest.mark.full
def test_twenty_kills_lose_nothing_that_was_told(tmp_path: Path) -> None:
    kills_lose_nothing(tmp_path / "x.db", 20)


def test_deleted_rows_are_overwritten_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with Database.open(f"sqlite:///{path}", relaxed=True) as opened:
        opened.write(lambda c: c.exec_driver_sql("CREATE TABLE notes (t TEXT)"))
        opened.write(lambda c: c.exec_driver_sql("INSERT INTO notes VALUES ('canary-4711')"))
        opened.write(lambda c: c.exec_driver_sql("DELETE FROM notes"))
    assert b"canary-4711" not in path.read_bytes()


def test_a_backup_beside_the_writer_is_consistent(database: Database, tmp_path: Path) -> None:
    database.write(insert(1))
    source, copy = sqlite3.connect(tmp_path / "x.db"), sqlite3.connect(tmp_path / "copy.db")
    source.backup(copy)
    assert copy.execute("SELECT n FROM numbers").fetchall() == [(1,)]
    source.close()
    copy.close()
