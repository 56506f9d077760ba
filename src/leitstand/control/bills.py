"""What providers bill instead of what was accrued: asked for after an instance is gone.

Accrual reckons by the clock of the proof that an instance is gone, a bill by the second. The
difference is a charge of its own, so that what is booked comes to what is paid. A bill that says
more is believed at once; one that says less once it can grow no more. Invoices may come weeks late,
so each instance is looked for until a last look that long after its end: a control plane that was
switched off meanwhile looks when it is back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.money import charge_billed
from leitstand.control.transaction import Tx
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.cost import correction
from leitstand.core.dollars import agreed
from leitstand.core.instance import Instance
from leitstand.ports import Books, Provider
from leitstand.store import instances, money

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BookBills(Command[int]):
    """What the bills of instances come to, by instance; None where they do not name it."""

    billed: tuple[tuple[str, Decimal | None], ...]
    action: ClassVar[str] = "costs.accrue"

    def apply(self, tx: Tx) -> int:
        count = 0
        for instance_id, amount in self.billed:
            instance = instances.find(tx.conn, tx.tenant, instance_id, lock=True)
            if instance is None or instance.ended_at is None:
                continue
            since_end = tx.now - instance.ended_at
            booked = money.spent_on(tx.conn, tx.tenant, instance_id)
            more = correction(booked, amount, since_end)
            if more:
                charge_billed(tx, instance, more)
                count += 1
            if since_end >= limits.BILL_LAST_AFTER:
                tx.set("instance", instance.id, bill_final_at=tx.now)
        return count


_EVER = timedelta(days=36500)


@dataclass(slots=True)
class _Lane:
    """Whose turn it is among the instances of a provider that ended in one span of time."""

    every: timedelta
    youngest: timedelta
    oldest: timedelta
    """Since their end."""
    after: str = ""
    begun_at: datetime | None = None

    def due(self, now: datetime) -> bool:
        """Whether a round is under way, or the next may begin."""
        if self.after or self.begun_at is None:
            return True
        return not timedelta(0) <= now - self.begun_at < self.every

    def asked(self, gone: Sequence[Instance], now: datetime) -> None:
        """These had their turn."""
        if not self.after:
            self.begun_at = now
        self.after = gone[-1].id if len(gone) == limits.BILLS_PER_LOOK else ""


def _lanes() -> tuple[_Lane, ...]:
    fresh = limits.BILLS_FRESH
    return (
        _Lane(limits.BILLS_EVERY, timedelta(0), fresh),
        _Lane(limits.BILLS_LATE_EVERY, fresh, _EVER),
    )


class Bills:
    """One step: ask each provider that keeps books, once in a while."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._books: dict[str, Books] = {}
        for name, provider in providers.items():
            account = getattr(provider, "account", None)
            if account is not None:
                self._books[name] = account
        self._lanes = {name: _lanes() for name in self._books}

    def step(self, now: datetime) -> None:
        """Book what differs. A provider that does not answer is asked again."""
        with Turns() as turns:
            for name, books in self._books.items():
                for lane in self._lanes[name]:
                    if lane.due(now):
                        turns.take(name, partial(self._book, name, books, lane, now))

    def _book(self, name: str, books: Books, lane: _Lane, now: datetime) -> None:
        oldest, youngest = now - lane.oldest, now - lane.youngest
        most = limits.BILLS_PER_LOOK
        gone = self._door.database.read(
            lambda conn: instances.unbilled(conn, name, oldest, youngest, lane.after, most)
        )
        lane.asked(gone, now)
        if not gone:
            return
        try:
            billed = _sums(books, gone, now)
        except Exception as error:
            log.warning("bills.silent", provider=name, error=type(error).__name__)
            return
        found = tuple((one.id, billed.get(one.provider_id or "")) for one in gone)
        self._door.run(BookBills(found), SYSTEM, now)


def _sums(books: Books, gone: Sequence[Instance], now: datetime) -> dict[str, Decimal]:
    """What each of these cost in all, each at the rate that it was offered at."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    rates = {one.provider_id: agreed(one.offer) for one in gone}
    last = max(one.ended_at or now for one in gone)
    until = min(now, last + limits.BILLS_FRESH)
    for row in books.billed(min(one.created_at for one in gone), until):
        rate = rates.get(row.provider_id)
        paid = row.paid
        own = row.amount_eur if rate is None or paid is None else rate.euros(paid.usd)
        sums[row.provider_id] += own
    return sums
