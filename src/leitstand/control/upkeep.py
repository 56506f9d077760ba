"""The quiet steps: book costs, apply retention, forget old events, sweep blobs that nothing names."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.jobs import RetainReports
from leitstand.control.media import RetainMedia
from leitstand.control.money import AccrueCosts
from leitstand.control.transaction import Tx
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.ports import Blobs
from leitstand.store import events, jobs, media

log = structlog.get_logger(__name__)

ACCRUE_EVERY = timedelta(minutes=1)
FORGET_EVERY = timedelta(days=1)
SWEEP_BATCH = 500


@dataclass(frozen=True, slots=True)
class ForgetEvents(Command[None]):
    """Events are for progress; the ledger is the record."""

    action: ClassVar[str] = "events.forget"

    def apply(self, tx: Tx) -> None:
        events.forget(tx.conn, tx.now - limits.EVENTS_KEPT)


class Upkeep:
    """One step; each part at its own pace."""

    def __init__(self, door: Door, blobs: Blobs) -> None:
        self._door = door
        self._blobs = blobs
        self._last: dict[str, datetime] = {}

    def step(self, now: datetime) -> None:
        """Retention at every step, costs once a minute, the sweep once an hour, events once a day."""
        database, run = self._door.database, self._door.run
        before = now - self._door.retention.reports
        with Turns() as turns:
            if database.read(lambda conn: media.overdue(conn, now, 1)):
                turns.take("media", lambda: run(RetainMedia(), SYSTEM, now))
            if database.read(lambda conn: jobs.overdue_reports(conn, before, 1)):
                turns.take("reports", lambda: run(RetainReports(), SYSTEM, now))
            if self._due("accrue", ACCRUE_EVERY, now):
                turns.take("costs", lambda: run(AccrueCosts(), SYSTEM, now))
            if self._due("forget", FORGET_EVERY, now):
                turns.take("events", lambda: run(ForgetEvents(), SYSTEM, now))
            if self._due("sweep", limits.SWEEP_EVERY, now):
                turns.take("sweep", lambda: self._sweep(now))

    def _due(self, part: str, every: timedelta, now: datetime) -> bool:
        last = self._last.get(part)
        if last is not None and timedelta(0) <= now - last < every:
            return False
        self._last[part] = now
        return True

    def _sweep(self, now: datetime) -> None:
        """Delete blobs that no row names and that are old enough not to be on their way: what a
        crash left between a blob and its row. Names carry the time they were made."""
        names = (name for name in self._blobs.names() if _made_before(name, now))
        while batch := list(itertools.islice(names, SWEEP_BATCH)):
            ids = [name.partition(".")[0] for name in batch]
            known = self._door.database.read(partial(media.named, names=ids))
            lost = [name for name, row_id in zip(batch, ids, strict=True) if row_id not in known]
            if lost:
                log.warning("blobs.swept", count=len(lost))
                self._blobs.delete(lost)


_NAME = re.compile(r"^(?:object|upload)_([0-9A-HJKMNP-TV-Z]{10})[0-9A-HJKMNP-TV-Z]{16}(?:\.\d+)?$")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _made_before(name: str, now: datetime) -> bool:
    """Whether a blob of ours was named longer than `ABANDONED_AFTER` ago (the ULID's first 48 bits
    are milliseconds). What we did not name is not ours to delete."""
    found = _NAME.match(name)
    if found is None:
        return False
    milliseconds = 0
    for character in found[1]:
        milliseconds = milliseconds * 32 + _CROCKFORD.index(character)
    made = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return now - made > limits.ABANDONED_AFTER
