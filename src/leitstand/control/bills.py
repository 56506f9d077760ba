"""What providers bill instead of what was accrued: asked for after an instance is gone.

Accrual reckons by the clock of the proof that an instance is gone, a bill by the second. The
difference is a charge of its own, so that what is booked comes to what is paid. A bill that says
more is believed at once; one that says less once it can grow no more.
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
            booked = money.spent_on(tx.conn, tx.tenant, instance_id)
            more = correction(booked, amount, tx.now - instance.ended_at)
            if more:
                charge_billed(tx, instance, more)
                count += 1
        return count


class Bills:
    """One step: ask each provider that keeps books, once in a while."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._books: dict[str, Books] = {}
        for name, provider in providers.items():
            account = getattr(provider, "account", None)
            if account is not None:
                self._books[name] = account
        self._asked_at: dict[str, datetime] = {}

    def step(self, now: datetime) -> None:
        """Book what differs. A provider that does not answer is asked again."""
        with Turns() as turns:
            for name, books in self._books.items():
                asked_at = self._asked_at.get(name)
                if asked_at is not None and timedelta(0) <= now - asked_at < limits.BILLS_EVERY:
                    continue
                self._asked_at[name] = now
                turns.take(name, partial(self._book, name, books, now))

    def _book(self, name: str, books: Books, now: datetime) -> None:
        since = now - limits.BILLS_KEPT
        gone = self._door.database.read(lambda conn: instances.ended(conn, name, since))
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
    """What each of these cost in all."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in books.billed(min(one.created_at for one in gone), now):
        sums[row.provider_id] += row.amount_eur
    return sums
