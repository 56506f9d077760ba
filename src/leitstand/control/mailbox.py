"""The second route of results: letters in the blob store, for when a worker cannot reach us.

With a lease and with each renewal a worker is given addresses that take one letter for each of its
next segments, for as long as the lease lasts. What is found there goes the way of the route: who
wrote it is proved by the letter, everything else is decided by `results.take`. So a letter that
comes late, or twice, changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from threading import Lock

import structlog
from sqlalchemy import Connection

from leitstand.control.attempts import Finish
from leitstand.control.commands import Door
from leitstand.control.leases import Fenced
from leitstand.control.losses import whole
from leitstand.control.results import take
from leitstand.control.turns import Turns
from leitstand.core import letter as letters
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.letter import MAILBOX, Letter
from leitstand.core.problem import Problem
from leitstand.ports import Authority, Blobs, Clock
from leitstand.store import attempts, jobs

log = structlog.get_logger(__name__)


class Mailbox:
    """Letters of all attempts; thread safe."""

    def __init__(self, door: Door, blobs: Blobs, authority: Authority, clock: Clock) -> None:
        self._door = door
        self._blobs = blobs
        self._authority = authority
        self._clock = clock
        self._looked_at: datetime | None = None
        self._until: datetime | None = None
        self._failing_since: datetime | None = None
        self._one_at_a_time = Lock()

    @classmethod
    def over(cls, door: Door, blobs: Blobs, authority: Authority, clock: Clock) -> Mailbox | None:
        """The mailbox in this store, or None where the store gives no addresses."""
        return cls(door, blobs, authority, clock) if blobs.addressed else None

    def addresses(self, attempt: str, segments: Iterable[int], seconds: float) -> dict[str, str]:
        """Where letters for the next of these segments may be put, for so many seconds."""
        ahead = itertools.islice(segments, limits.MAILBOX_AHEAD)
        term = timedelta(seconds=max(1, int(seconds)))
        found = {}
        for segment in ahead:
            try:
                name = letters.name_of(attempt, segment)
                found[str(segment)] = self._blobs.put_address(name, term)
            except Problem as problem:
                log.warning("mailbox.no_address", code=problem.code)
                return {}
        self._awake(self._clock.now())
        return found

    def _awake(self, now: datetime) -> None:
        """Letters may arrive for a lease from now on, and one that began in time for longer."""
        until = now + 2 * limits.LEASE
        self._until = until if self._until is None else max(until, self._until)

    # --- looking -----------------------------------------------------------------------------------

    def waits(self, now: datetime) -> bool:
        """Whether leases that ran out are not given up yet, because nobody could look here."""
        since = self._failing_since
        return since is not None and timedelta(0) <= now - since < limits.MAILBOX_WAIT

    def collect(self, now: datetime, *, urgent: bool = False) -> None:
        """Look, if it is time, and take what lies there. `urgent`: a lease has run out, so what its
        worker left must be taken before the attempt is given up."""
        with self._one_at_a_time:
            if not self._due(now, urgent):
                return
            self._looked_at = now
            try:
                full = self._take_all(now)
            except Exception:
                self._failing_since = self._failing_since or now
                raise
            self._failing_since = None
            if full:
                self._looked_at = None

    def _due(self, now: datetime, urgent: bool) -> bool:
        """At once when this process began, which knows of no addresses that an earlier one gave;
        every few seconds while something may arrive; else as often as blobs are swept."""
        last = self._looked_at
        if self._until is None:
            self._awake(now)
        failing = self._failing_since is not None
        if last is None or now < last or (urgent and not failing):
            return True
        awake = failing or (self._until is not None and now < self._until)
        return now - last >= (limits.MAILBOX_EVERY if awake else limits.SWEEP_EVERY)

    def _take_all(self, now: datetime) -> bool:
        """Every letter in its turn; True when there may be more. What we did not name is not ours to
        delete."""
        ours = (name for name in self._blobs.names(MAILBOX) if letters.attempt_of(name))
        names = list(itertools.islice(ours, limits.UNITS_PER_STEP_MAX))
        with Turns() as turns:
            for name in names:
                turns.take(name, partial(self._one, name, now))
        return len(names) == limits.UNITS_PER_STEP_MAX

    def _one(self, name: str, now: datetime) -> None:
        """Take a letter, and only then away. What may go better another time raises and stays."""
        try:
            letter = self._read(name)
            instance = self._writer(letter)
        except (ValueError, FileNotFoundError) as error:
            log.warning("mailbox.refused", letter=name, why=str(error))
        else:
            self._replay(name, letter, instance, now)
        self._blobs.delete([name])

    def _read(self, name: str) -> Letter:
        """Raises ValueError on what is no letter, or lies where another one belongs."""
        size = self._blobs.size(name)
        if size is None or size > limits.RESULT_BYTES_MAX + letters.HEADER_BYTES_MAX:
            raise ValueError("of no size that a letter has")
        letter = letters.unpack(b"".join(self._blobs.get(name, 0, size)))
        if name != letters.name_of(letter.attempt, letter.segment):
            raise ValueError("not where it belongs")
        return letter

    def _replay(self, name: str, letter: Letter, instance: str, now: datetime) -> None:
        """What the route would do with it; what that refuses for good is refused here."""
        attempt, fence, door = letter.attempt, letter.fence, self._door
        says = (instance, attempt, fence, letter.segment, letter.body)
        try:
            first = take(door, self._blobs, self._clock, *says, gap=letter.gap, left=True)
        except (Fenced, Problem) as error:
            if isinstance(error, Problem) and error.code != "unknown-segment":
                raise
            log.warning("mailbox.refused", letter=name, why=str(error) or "fenced")
            return
        log.info("mailbox.taken", letter=name, first=first)
        if self._whole(letter, now):
            finish = Finish(instance, attempt, fence, "done", None, None, {})
            door.run(finish, Actor("instance", instance), now)

    def _writer(self, letter: Letter) -> str:
        """The instance that wrote it, which had to be certified while the attempt lived. Raises
        ValueError."""
        found = self._door.database.read(
            lambda conn: attempts.find(conn, self._door.tenant, [letter.attempt])
        )
        if not found:
            raise ValueError("of no attempt of ours")
        within = (found[0].created_at, found[0].expires_at)
        return self._authority.writer(
            letter.certificate_pem, within, letter.signed(), letter.signature
        )

    def _whole(self, letter: Letter, now: datetime) -> bool:
        """Whether the attempt lives and its task lacks nothing: then it is done, and need not wait
        for a worker that cannot say so."""

        def read(conn: Connection) -> bool:
            tx = self._door.look(now, conn)
            for attempt in attempts.find(conn, tx.tenant, [letter.attempt]):
                task = jobs.task(conn, tx.tenant, attempt.task_id)
                return attempt.state == "live" and task is not None and whole(tx, task)
            return False

        return self._door.database.read(read)

    # --- forgetting --------------------------------------------------------------------------------

    def forget(self, attempt_ids: Iterable[str]) -> None:
        """Delete what these attempts left, unread."""
        gone = set(attempt_ids)
        if not gone:
            return
        names = [name for name in self._blobs.names(MAILBOX) if letters.attempt_of(name) in gone]
        self._blobs.delete(names)
