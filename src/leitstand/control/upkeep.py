"""The quiet steps: book costs, apply retention, forget old events, sweep blobs that nothing names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from leitstand.control.commands import Command, Door
from leitstand.control.media import RetainMedia
from leitstand.control.money import AccrueCosts
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.store import events, media

ACCRUE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ForgetEvents(Command[None]):
    """Events are for progress; the ledger is the record."""

    action: ClassVar[str] = "media.retain"

    def apply(self, tx: Tx) -> None:
        events.forget(tx.conn, tx.now - limits.EVENTS_KEPT)


class Upkeep:
    """One step a second; each part at its own pace."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._accrued_at: datetime | None = None
        self._forgot_at: datetime | None = None

    def step(self, now: datetime) -> None:
        """Retention at every step, costs once a minute, events once a day."""
        if self._door.database.read(lambda conn: media.overdue(conn, now, 1)):
            self._door.run(RetainMedia(), SYSTEM, now)
        if self._accrued_at is None or now - self._accrued_at >= ACCRUE_EVERY:
            self._accrued_at = now
            self._door.run(AccrueCosts(), SYSTEM, now)
        if self._forgot_at is None or now - self._forgot_at >= timedelta(days=1):
            self._forgot_at = now
            self._door.run(ForgetEvents(), SYSTEM, now)
