"""Money as pure functions: worst case, accrual, what a budget has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any, overload

from leitstand.core import limits

MILLIONTH = Decimal("0.000001")
_SECONDS_PER_HOUR = Decimal(3600)


@overload
def spelled(amount: Decimal) -> str: ...
@overload
def spelled(amount: None) -> None: ...
def spelled(amount: Decimal | None) -> str | None:
    """Euros as machines read them, in one spelling everywhere: `0.000000`, `1.240000`; None is no
    amount."""
    return None if amount is None else f"{amount:.6f}"


def accrued(price_eur_per_hour: Decimal, from_at: datetime, to_at: datetime) -> Decimal:
    """Cost of a period by the second, rounded up to a millionth of a euro."""
    seconds = Decimal(max(0.0, (to_at - from_at).total_seconds()))
    return (price_eur_per_hour * seconds / _SECONDS_PER_HOUR).quantize(MILLIONTH, ROUND_UP)


def rate_of(offer: Mapping[str, Any]) -> Decimal:
    """What an hour of a recorded offer costs in all: price and storage."""
    return Decimal(offer["price_eur_per_hour"]) + Decimal(offer["storage_eur_per_hour"])


def worst_case(
    rate_eur_per_hour: Decimal, minimum_eur: Decimal, now: datetime, end_by: datetime
) -> Decimal:
    """What an instance can cost at most: its rate (price and storage) until `end_by`, or the minimum."""
    return max(accrued(rate_eur_per_hour, now, end_by), minimum_eur.quantize(MILLIONTH, ROUND_UP))


def correction(booked: Decimal, billed: Decimal | None, since_end: timedelta) -> Decimal:
    """What has to be booked so that it comes to the bill. A bill may lag by a day and a part of it be
    missing until then, so one that says less than was booked counts only after that. One that does
    not name the instance (None) says nothing: it is not known yet, which is not free of charge."""
    if billed is None:
        return Decimal(0)
    more = billed - booked
    return more if more > 0 or since_end >= limits.BILL_WHOLE_AFTER else Decimal(0)


@dataclass(frozen=True, slots=True)
class Budget:
    """One envelope: its limit (None: not limited), and what is spent and reserved in it."""

    scope: str
    limit_eur: Decimal | None
    spent_eur: Decimal
    reserved_eur: Decimal

    def left(self) -> Decimal | None:
        """What may still be reserved; None where nothing limits it."""
        if self.limit_eur is None:
            return None
        return self.limit_eur - self.spent_eur - self.reserved_eur


def left_in(budgets: Sequence[Budget]) -> Decimal | None:
    """What may still be reserved in all of them; None where nothing limits it."""
    return min((left for b in budgets if (left := b.left()) is not None), default=None)


def covering(budgets: Sequence[Budget], amount: Decimal) -> Budget | None:
    """The first budget that does not cover `amount`; None when all do."""
    for budget in budgets:
        left = budget.left()
        if left is not None and amount > left:
            return budget
    return None
