"""Waiting without polling: long polls and event streams sleep on one object that commits wake."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field


class Wakeups:
    """Wakes coroutines after a commit made in any thread.

    `seen()` before looking, `wait(seen, …)` after finding nothing: a commit in between is not lost.
    """

    def __init__(self) -> None:
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._closed = False

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that coroutines wait in; called once, before the first request."""
        self._loop = loop

    def seen(self) -> int:
        """How many commits were announced so far."""
        return self._count

    @property
    def closed(self) -> bool:
        """Whether the control plane is ending; then nobody waits any more."""
        return self._closed

    def close(self) -> None:
        """Wake everybody for good."""
        self._closed = True
        self.notify()

    def notify(self) -> None:
        """Announce a commit; callable from any thread."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._count += 1
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seen: int, seconds: float) -> None:
        """Until a commit after `seen`, or `seconds` have passed."""
        if self._count != seen or self._closed or self._loop is None:
            return
        future = self._loop.create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(future)


@dataclass(slots=True)
class _Units:
    units: int
    since: float
    rate: float = 0.0


@dataclass(slots=True)
class Progress:
    """The newest beats, for progress that is shown but never stored."""

    _by_attempt: dict[str, _Units] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def note(self, attempt_id: str, units: int) -> None:
        """Units that an attempt has done in all."""
        now = time.monotonic()
        with self._mutex:
            known = self._by_attempt.get(attempt_id)
            if known is None:
                self._by_attempt[attempt_id] = _Units(units, now)
            elif units > known.units:
                rate = (units - known.units) / max(now - known.since, 1e-3)
                self._by_attempt[attempt_id] = _Units(units, now, rate)

    def forget(self, attempt_id: str) -> None:
        """An attempt has ended."""
        with self._mutex:
            self._by_attempt.pop(attempt_id, None)

    def rate(self, attempt_ids: set[str]) -> float:
        """Units a second over these attempts."""
        with self._mutex:
            return sum(u.rate for a, u in self._by_attempt.items() if a in attempt_ids)


class Clients:
    """When the control plane was last needed by a person; the embedded one ends when nobody is."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._open = 0
        self._mutex = threading.Lock()

    def enter(self) -> None:
        """A request begins."""
        with self._mutex:
            self._open += 1

    def leave(self) -> None:
        """A request ends."""
        with self._mutex:
            self._open -= 1
            self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """How long no request has been open."""
        with self._mutex:
            return 0.0 if self._open else time.monotonic() - self._last
