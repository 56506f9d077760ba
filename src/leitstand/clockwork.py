"""The system's time, names and step loops: the impure edge that tests replace."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from ulid import ULID

from leitstand.core.problem import Problem
from leitstand.ports import Database

log = structlog.get_logger(__name__)

_RANDOM_BITS = 80
FAILED_PAUSE_SECONDS = 1.0
"""After a step that raised: long enough not to spin, short enough not to matter."""


class SystemClock:
    """See `ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SystemIds:
    """ULIDs that grow within this process, so that rows sort in the order they were made."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._last = 0

    def new(self, noun: str, now: datetime) -> str:
        milliseconds = int(now.timestamp() * 1000)
        with self._mutex:
            fresh = (milliseconds << _RANDOM_BITS) | int.from_bytes(os.urandom(10))
            self._last = max(fresh, self._last + 1)
            value = self._last
        return f"{noun}_{ULID.from_int(value)}"

    def draw(self, size: int) -> bytes:
        return os.urandom(size)


Step = Callable[[], timedelta | None]
"""A bounded piece of work. Says after how long it wants to be called again, where that is sooner
than its loop would."""


def exclusive(database: Database, name: str, step: Step) -> timedelta | None:
    """Run a step under its named lock: of several control planes of one database, one does."""
    with database.named_lock(name) as held:
        return step() if held else None


class StepLoop:
    """Runs one step in a thread of its own: at the latest every `every` seconds, at the earliest
    `pace` seconds after the last, sooner than `every` only when kicked or asked for by the step."""

    def __init__(self, name: str, step: Step, *, every: float, pace: float = 0.05) -> None:
        self._name = name
        self._step = step
        self._every = every
        self._pace = pace
        self._kicked = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"step-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def kick(self) -> None:
        """Something was committed that this step may care about."""
        self._kicked.set()

    def stop(self) -> None:
        """Finish the running step and end."""
        self._ending.set()
        self._kicked.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            self._kicked.clear()
            again = None
            try:
                again = self._step()
            except Exception as error:  # a failed step is tried again, never the loop's end
                log.error(  # noqa: TRY400 - a traceback's lines may quote data
                    "step.failed",
                    step=self._name,
                    error=error.code if isinstance(error, Problem) else type(error).__name__,
                    where=place_of(error),
                )
                self._ending.wait(FAILED_PAUSE_SECONDS)
            self._ending.wait(self._pace)
            wait = self._every if again is None else min(self._every, again.total_seconds())
            self._kicked.wait(max(0.0, wait - self._pace))


def place_of(error: BaseException) -> str:
    """File and line of the innermost frame: enough to find a fault, nothing of its data."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
