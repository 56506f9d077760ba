"""The one thread that writes to SQLite."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")

BATCH_MAX = 256
"""Commands of one transaction: enough to share an fsync, few enough that none waits long for it."""
WAITING_MAX = 4_096
"""Commands that may wait; the next caller waits to get in."""


class Closed(Exception):
    """The writer takes no commands any more."""


@dataclass(frozen=True, slots=True)
class _Command:
    work: Callable[[Connection], Any]
    reply: Future[Any]


class Writer:
    """Runs commands one after another, several to a transaction, and replies after its commit.

    `committed` is called in the writer's thread after every commit that changed something, before
    the replies.
    """

    def __init__(self, engine: Engine, committed: Callable[[], None]) -> None:
        self._engine = engine
        self._committed = committed
        self._waiting: deque[_Command] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="store-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` once durable, or its exception once rolled back.

        Raises `Closed` after `close`, RuntimeError from within a command: it would wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("a command cannot wait for another command")
        reply: Future[T] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) < WAITING_MAX)
            if self._closed:
                raise Closed
            self._waiting.append(_Command(work, reply))
            self._changed.notify_all()
        return reply.result()

    def close(self) -> None:
        """Refuse new commands, finish those that wait, end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _loop(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[_Command]:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            count = min(BATCH_MAX, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            self._changed.notify_all()
            return batch

    def _run(self, batch: list[_Command]) -> None:
        try:
            with self._engine.begin() as connection:
                outcomes = [(command, *_attempt(connection, command)) for command in batch]
        except BaseException as error:
            for command in batch:
                command.reply.set_exception(error)
            return
        if any(changed for _, changed, _, _ in outcomes):
            self._committed()
        for command, _, result, failure in outcomes:
            if failure is None:
                command.reply.set_result(result)
            else:
                command.reply.set_exception(failure)


def _attempt(connection: Connection, command: _Command) -> tuple[bool, Any, BaseException | None]:
    """Whether one command changed a row, its result and its failure; raises when the transaction
    around it is lost too."""
    driver: Any = connection.connection.dbapi_connection
    before = driver.total_changes
    savepoint = connection.begin_nested()
    try:
        result = command.work(connection)
        if not savepoint.is_active:
            raise RuntimeError("a command must not end its transaction")
        savepoint.commit()
    except BaseException as failure:
        if not driver.in_transaction:
            raise
        if savepoint.is_active:
            savepoint.rollback()
        return False, None, failure
    return driver.total_changes > before, result, None
