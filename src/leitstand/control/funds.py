"""What is left on the account at each provider. Where credit runs out, every machine there stops at
once, and what lies on its disk may be gone: people hear of it before, and nothing new is launched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import ClassVar

import structlog

from leitstand.control import money
from leitstand.control.commands import Command, Door
from leitstand.control.transaction import Tx
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.cost import accrued, rate_of, spelled
from leitstand.core.instance import Instance
from leitstand.ports import Books, Provider
from leitstand.store import instances

log = structlog.get_logger(__name__)

LOW = "funds-low"


@dataclass(frozen=True, slots=True)
class TellLow(Command[None]):
    """The credit at a provider is nearly used up: whoever follows a job there hears of it."""

    provider: str
    balance: Decimal
    needs: Decimal
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> None:
        told = {"code": LOW, "provider": self.provider}
        told |= {"balance": spelled(self.balance), "needs": spelled(self.needs)}
        there = [one.id for one in instances.alive(tx.conn) if one.provider == self.provider]
        found = (money.reservation_job(tx, instance_id) for instance_id in there)
        for job_id in sorted({job.id for job in found if job is not None}):
            tx.event(job_id, "alarm", **told)
        log.error("provider.funds", **told)


class Funds:
    """One step: ask for the balance of each account where something lives, once in a while."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._books: dict[str, Books] = {
            name: account
            for name, provider in providers.items()
            if (account := getattr(provider, "account", None)) is not None
        }
        self._left: dict[str, tuple[Decimal, datetime]] = {}
        self._asked: dict[str, datetime] = {}
        self._told: set[str] = set()

    def step(self, now: datetime) -> None:
        """A provider that does not answer is asked again at its next turn."""
        with Turns() as turns:
            for name in self._books:
                turns.take(name, partial(self._look, name, now))

    def covers(self, name: str, now: datetime) -> bool:
        """Whether what is left there pays for the next hours of all that is there or on its way.
        A balance that nobody knows keeps nothing from being launched: the provider refuses then."""
        known = self._left.get(name)
        if known is None or now - known[1] > limits.BALANCE_AGE_MAX:
            return True
        return known[0] >= self._needs(self._there(name), now)

    def _look(self, name: str, now: datetime) -> None:
        asked = self._asked.get(name)
        if asked is not None and timedelta(0) <= now - asked < limits.BALANCE_EVERY:
            return
        there = self._there(name)
        if not there:
            return
        self._asked[name] = now
        try:
            balance = self._books[name].balance()
        except Exception as error:
            log.warning("funds.silent", provider=name, error=type(error).__name__)
            return
        self._left[name] = balance, now
        needs = self._needs(there, now)
        if balance >= needs:
            self._told.discard(name)
        elif name not in self._told:
            self._door.run(TellLow(name, balance, needs), SYSTEM, now)
            self._told.add(name)

    def _there(self, name: str) -> list[Instance]:
        alive = self._door.database.read(instances.alive)
        return [one for one in alive if one.provider == name]

    def _needs(self, there: list[Instance], now: datetime) -> Decimal:
        """What they cost until their end, or for so many hours."""
        until = now + limits.BALANCE_HORIZON
        costs = (accrued(rate_of(one.offer), now, min(one.end_by, until)) for one in there)
        return sum(costs, Decimal(0))
