"""Who may use the line of this worker now: models before media before results, within a limit.

What an attempt waits for longest goes first. A lower rank is held back piece by piece and never
stopped: an attempt that got nothing at all would lose its lease. Logs are not sent over this line; a
beat, a claim and every other small call is not held back either.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from enum import IntEnum

PIECE_BYTES = 1 << 16
HELD_SECONDS = 0.25
"""How long a piece waits for transfers of a higher rank where there is no limit."""
PASSED_OVER_SECONDS = 1.0
"""How long one waits for higher ranks where there is a limit, beyond its own turn."""
_BYTES_PER_MBIT = 125_000


class Rank(IntEnum):
    """What goes first."""

    MODEL = 0
    MEDIA = 1
    RESULT = 2


class Traffic:
    """Safe to use from several threads. `pause` waits on a condition for so many seconds, or until
    it is notified where it is told None."""

    def __init__(
        self,
        mbit_per_s: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[threading.Condition, float], object] = threading.Condition.wait,
    ) -> None:
        self._rate = None if mbit_per_s is None else mbit_per_s * _BYTES_PER_MBIT
        self._monotonic = monotonic
        self._pause = pause
        self._changed = threading.Condition()
        self._open = dict.fromkeys(Rank, 0)
        self._waiting: dict[int, tuple[Rank, float]] = {}
        self._tickets = itertools.count()
        self._free_at = monotonic()
        """When the pieces that went are through at the limit."""

    @contextlib.contextmanager
    def transfer(self, rank: Rank) -> Iterator[Callable[[int], None]]:
        """A transfer of this rank; what it gives is called with the size of each piece, and returns
        when that piece may go."""
        with self._changed:
            self._open[rank] += 1
        try:
            yield lambda size: self._let_pass(rank, size)
        finally:
            with self._changed:
                self._open[rank] -= 1
                self._changed.notify_all()

    def _let_pass(self, rank: Rank, size: int) -> None:
        with self._changed:
            if self._rate is None:
                self._hold_back(rank)
                return
            ticket, since = next(self._tickets), self._monotonic()
            self._waiting[ticket] = rank, since
            try:
                while (left := self._left(ticket)) > 0:
                    self._pause(self._changed, left)
                now = self._monotonic()
                self._free_at = max(self._free_at, now) + size / self._rate
            finally:
                del self._waiting[ticket]
                self._changed.notify_all()

    def _hold_back(self, rank: Rank) -> None:
        until = self._monotonic() + HELD_SECONDS
        while any(self._open[higher] for higher in Rank if higher < rank):
            left = until - self._monotonic()
            if left <= 0:
                return
            self._pause(self._changed, left)

    def _left(self, ticket: int) -> float:
        """Seconds until this one should look again; 0 when it is its turn."""
        now = self._monotonic()
        if self._free_at > now:
            return self._free_at - now

        def turn(one: int) -> tuple[int, int]:
            rank, since = self._waiting[one]
            return (-1 if now - since >= PASSED_OVER_SECONDS else int(rank)), one

        return 0.0 if min(self._waiting, key=turn) == ticket else PASSED_OVER_SECONDS
