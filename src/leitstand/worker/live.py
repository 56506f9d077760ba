"""What this worker holds right now: its live attempts, and the reasons to stop.

A lease is counted on the monotonic clock from before the request that granted it was sent. When it
runs out the attempt stops by itself and its key is dropped, whatever else hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from leitstand.vault.envelope import Identity
from leitstand.worker.lease import Lease

Monotonic = Callable[[], float]


class Ended(Exception):
    """The attempt may not go on: fenced, stopped, out of lease, or the worker ends."""


class LiveAttempt:
    """One attempt while it runs. Its slot works, the network thread renews or ends it."""

    def __init__(self, lease: Lease, sent_at: float, monotonic: Monotonic) -> None:
        self.lease = lease
        self._monotonic = monotonic
        self._deadline = sent_at + lease.lease_seconds
        self._revoked = False
        self._identity: Identity | None = None
        self.held = False
        self.segment = lease.segments[0].number if lease.segments else 0
        self.units = 0
        self.mailbox = dict(lease.mailbox)

    def renew(
        self, sent_at: float, lease_seconds: float, mailbox: Mapping[int, str] | None = None
    ) -> None:
        """A beat sent at `sent_at` was answered with so many seconds from then, and with addresses
        of letters that last as long."""
        self.mailbox |= mailbox or {}
        self._deadline = max(self._deadline, sent_at + lease_seconds)

    def revoke(self) -> None:
        """Stop at the next look and drop the key now."""
        self._revoked = True
        self._identity = None

    def alive(self) -> bool:
        """Whether the attempt may still write."""
        if not self._revoked and self._monotonic() >= self._deadline:
            self.revoke()
        return not self._revoked

    def check(self) -> None:
        """Raises Ended when the attempt may not go on; called between frames and chunks."""
        if not self.alive():
            raise Ended

    def advance(self, units: int = 1) -> None:
        """Units done since the last call; progress is what renews the lease."""
        self.units += units
        self.check()

    def keep(self, identity: Identity) -> None:
        """Hold the key for as long as the attempt lives."""
        self._identity = identity
        self.check()

    @property
    def identity(self) -> Identity:
        """The key. Raises Ended once it was dropped."""
        identity = self._identity
        if identity is None:
            raise Ended
        return identity

    def beat(self) -> dict[str, Any]:
        """What a beat says of this attempt."""
        return {
            "attempt": self.lease.attempt,
            "fence": self.lease.fence,
            "segment": self.segment,
            "units": self.units,
        }


class Board:
    """All live attempts of this worker and the two ways it winds down.

    `draining`: no new lease, what lives goes on. `ending` is set when the process is to leave:
    every attempt stops at its next look.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[str, LiveAttempt] = {}
        self.draining = False
        self.ending = threading.Event()
        self.changed = threading.Event()

    def enter(self, attempt: LiveAttempt) -> bool:
        """False for a lease that another slot holds already: its reply crossed with another claim.
        Raises Ended while the worker leaves."""
        with self._lock:
            if self.ending.is_set():
                raise Ended
            return self._live.setdefault(attempt.lease.attempt, attempt) is attempt

    def leave(self, attempt: LiveAttempt) -> None:
        """The attempt is over; its key goes with it."""
        attempt.revoke()
        with self._lock:
            self._live.pop(attempt.lease.attempt, None)
        self.changed.set()

    def attempts(self) -> list[LiveAttempt]:
        """Those alive now; any whose lease ran out is revoked by the look."""
        with self._lock:
            live = list(self._live.values())
        return [attempt for attempt in live if attempt.alive()]

    def empty(self) -> bool:
        """Whether no slot works, not even on an attempt that is about to stop."""
        with self._lock:
            return not self._live

    def drain(self) -> None:
        """Take no further lease."""
        self.draining = True
        self.changed.set()

    def end(self) -> None:
        """Revoke everything and leave."""
        with self._lock:
            self.ending.set()
            live = list(self._live.values())
        self.draining = True
        for attempt in live:
            attempt.revoke()
        self.changed.set()
