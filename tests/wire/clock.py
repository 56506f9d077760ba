"""Time that the test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class Clock:
    """Stands still until it is moved; whoever waits for the next moment wakes up."""

    def __init__(self, at: datetime = datetime(2026, 11, 2, 8, tzinfo=UTC)) -> None:
        self.at = at
        self.moves = 0
        self.moved = threading.Condition()

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def forward(self, **time: float) -> None:
        with self.moved:
            self.at += timedelta(**time)
            self.moves += 1
            self.moved.notify_all()
