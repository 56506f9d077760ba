"""One way to read and one way to write, on SQLite in a file and on PostgreSQL.

On SQLite the driver's own transaction handling is off and every write transaction begins with
`BEGIN IMMEDIATE`: with the library's defaults two commands read the same value, decide alike, and
one update is lost without an error. One thread writes; it gathers the commands that wait into one
transaction, so that they share its fsync, and gives each a savepoint, so that they share nothing
else. On PostgreSQL each command has a READ COMMITTED transaction of its own in its caller's thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from leitstand.core.problem import UNWRITABLE, Exit, Problem
from leitstand.store import connect, migrations
from leitstand.store.writer import Closed, Writer

T = TypeVar("T")

SCRUB_MILLISECONDS = 1_000
"""How long emptying the log waits for readers. Writers wait with it, so it is well below theirs."""
WRITE_TRIES_MAX = 8
"""Tries of one command on PostgreSQL when it lost a deadlock or a serialization conflict."""

_CHANGED = sa.text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
"""PostgreSQL numbers a transaction when it first writes or locks a row."""
_RETRIED = frozenset({"40001", "40P01"})
_FULL_SQLSTATE = "53100"
_UNAVAILABLE_CLASSES = ("08", "53", "55", "57", "58", "XX")
_UNAVAILABLE_SQLITE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)

_log = logging.getLogger(__name__)


class Database:
    """A database that several threads share. Make it with `open`, end it with `close`.

    `write` and `read` pass the exceptions of the work on as they are; what the database itself
    cannot do is a `Problem`: `store-full` when no space is left, `store-unavailable` when it does
    not answer, is locked, damaged or closed. Nothing of a failed `write` is kept, with one
    exception that no client can rule out: PostgreSQL's connection may break between its commit and
    its answer (`store-unavailable`), so commands are guarded and may be sent again.
    """

    def __init__(self, given: str, *, relaxed: bool) -> None:
        url = connect.parse(given)
        self._where = connect.shown(given, url)
        self._callbacks: tuple[Callable[[], None], ...] = ()
        self._locks: set[str] = set()
        self._mutex = threading.Lock()
        self._closed = False
        self._writer: Writer | None = None
        self._failing: Problem | None = None
        if url.get_backend_name() == "sqlite":
            self._path: Path | None = connect.sqlite_file(url)
            self._readers = connect.sqlite_engine(url, relaxed=relaxed, writes=False)
            self._writers = connect.sqlite_engine(url, relaxed=relaxed, writes=True)
        else:
            self._path = None
            self._writers = connect.postgresql_engine(url)
            self._readers = self._writers.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @classmethod
    def open(cls, url: str, *, relaxed: bool = False) -> Self:
        """The database at `sqlite:///path` or `postgresql://user@host/name`.

        A missing SQLite file is created with mode 0600. `relaxed` gives up durability on SQLite
        (`synchronous=OFF`) and is for tests. Raises `Problem`: `store-url` for an address that is
        neither, `missing-extra` without the PostgreSQL driver, `store-unavailable`.
        """
        database = cls(url, relaxed=relaxed)
        try:
            with database._errors(), database._writers.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
            if database._path is not None:
                database._writer = Writer(database._writers, database._committed)
        except BaseException:
            database._dispose()
            raise
        return database

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writers.dialect.name

    @property
    def failing(self) -> Problem | None:
        """Why the last write could not be kept; None once a change was kept since."""
        return self._failing

    def migrate(self) -> None:
        """Bring the schema to this version of the code, in one transaction, or change nothing.

        Raises `Problem("database-newer")` when a newer version of the code has been here.
        """
        self._open_only()
        with self._errors():
            if self._path is None:
                with self._writers.begin() as connection:
                    key = _lock_key("migrate")
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
                    migrations.upgrade(connection)
                return
            engine = connect.sqlite_engine(
                self._writers.url, relaxed=False, writes=True, references=False
            )
            try:
                with engine.begin() as connection:
                    migrations.upgrade(connection)
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise RuntimeError("a migration left references to rows that are gone")
            finally:
                engine.dispose()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a write transaction and return its result once that is durable.

        `work` must only use its connection: on PostgreSQL it may run again after a deadlock, on
        SQLite every other writer waits for it. It must not commit, and not call `write`.
        """
        self._open_only()
        try:
            with self._errors():
                if self._writer is not None:
                    return self._writer.run(work)
                result, changed = self._write_here(work)
        except Problem as problem:
            if problem.code in UNWRITABLE:
                self._failing = problem
            raise
        if changed:
            self._committed()
        return result

    def _write_here(self, work: Callable[[Connection], T]) -> tuple[T, bool]:
        tries = 1
        while True:
            try:
                with self._writers.begin() as connection:
                    result = work(connection)
                    return result, bool(connection.scalar(_CHANGED))
            except DBAPIError as error:
                if tries == WRITE_TRIES_MAX or _sqlstate(error) not in _RETRIED:
                    raise
                tries += 1

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent snapshot, beside any writer. It cannot write."""
        self._open_only()
        with self._errors(), self._readers.begin() as connection:
            return work(connection)

    def scrub(self) -> None:
        """Leave what was deleted or overwritten in no file of ours: on SQLite everything moves out
        of the write-ahead log, which is then cut to nothing; in the pages `secure_delete` has
        overwritten it. PostgreSQL's log and dead rows are its server's business.

        Raises `store-unavailable` while a long read keeps the log from being emptied.
        """
        self._open_only()
        if self._path is None:
            return
        with self._errors():
            driver = self._readers.raw_connection()
            run = driver.cursor().execute
            try:
                run(f"PRAGMA busy_timeout = {SCRUB_MILLISECONDS}")
                busy = run("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                run(f"PRAGMA busy_timeout = {connect.BUSY_MILLISECONDS}")
                driver.close()
        if busy:
            raise self._unavailable("SQLITE_BUSY")

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called after every commit that changed something, before `write` returns;
        once for a batch.

        It runs in a thread of the store: it sets a flag or wakes a waiter, and never blocks.
        """
        with self._mutex:
            self._callbacks = (*self._callbacks, callback)

    def _committed(self) -> None:
        self._failing = None
        for callback in self._callbacks:
            try:
                callback()
            except Exception:
                _log.exception("a callback after commit failed")

    @contextlib.contextmanager
    def named_lock(self, name: str) -> Iterator[bool]:
        """Try to hold the lock `name`: yields whether it is ours. Never waits, is not reentrant.

        PostgreSQL: among all control planes of the database, lost with the connection, so writes
        stay guarded. SQLite: among the threads of this process, which is alone by `state/lock`.
        """
        self._open_only()
        if self._path is None:
            with self._advisory_lock(name) as held:
                yield held
            return
        with self._mutex:
            held = name not in self._locks
            self._locks.add(name)
        try:
            yield held
        finally:
            if held:
                with self._mutex:
                    self._locks.discard(name)

    @contextlib.contextmanager
    def _advisory_lock(self, name: str) -> Iterator[bool]:
        key = {"key": _lock_key(name)}
        with self._errors():
            connection = self._writers.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with self._errors():
                held = bool(connection.scalar(sa.text("SELECT pg_try_advisory_lock(:key)"), key))
            try:
                yield held
            finally:
                if held:
                    try:
                        connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)
                    except DBAPIError:
                        connection.invalidate()
        finally:
            connection.close()

    def close(self) -> None:
        """Finish what was accepted, refuse the rest with `store-unavailable`, let go of the file.

        Safe to call twice.
        """
        with self._mutex:
            self._closed = True
        if self._writer is not None:
            self._writer.close()
        self._dispose()

    def _dispose(self) -> None:
        self._readers.dispose()
        self._writers.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_only(self) -> None:
        if self._closed:
            raise self._unavailable("closed")

    def _unavailable(self, reason: str) -> Problem:
        return Problem("store-unavailable", Exit.UNREACHABLE, where=self._where, reason=reason)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            problem = self._problem(error)
            if problem is None:
                raise
            raise problem from error
        except PoolTimeout as error:
            raise self._unavailable("no-connection-free") from error
        except migrations.Newer as error:
            raise Problem("database-newer", path=self._where, found=error.revision) from error
        except Closed as error:
            raise self._unavailable("closed") from error

    def _problem(self, error: DBAPIError) -> Problem | None:
        """What a person is told; None for an error of the statement or its values."""
        cause = error.orig
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            name = getattr(cause, "sqlite_errorname", "unknown")
            if code == sqlite3.SQLITE_FULL:
                return Problem("store-full", where=self._where)
            return self._unavailable(name) if code in _UNAVAILABLE_SQLITE else None
        state = _sqlstate(error)
        if state == _FULL_SQLSTATE:
            return Problem("store-full", where=self._where)
        if state is not None and (state[:2] in _UNAVAILABLE_CLASSES or state in _RETRIED):
            return self._unavailable(state)
        lost = error.connection_invalidated or isinstance(error, sa.exc.OperationalError)
        return self._unavailable("connection") if state is None and lost else None


def _sqlstate(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


def _lock_key(name: str) -> int:
    digest = hashlib.sha256(f"leitstand lock {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
