"""Paying ahead for one instance: what it covers, and what is lost when the instance ends before that.

A provider that takes a payment for months ahead gives a discount for it, of at most `DISCOUNT_MAX`,
which it says only once it has the money. Where the instance ends early, `FEE` of what was not used
up is kept and the discount is taken back (Vast.ai: reserved instances).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_UP, Decimal

from leitstand.core.cost import MILLIONTH, accrued

FEE = Decimal("0.05")
DISCOUNT_MAX = Decimal("0.4")
STATES = frozenset({"booting", "admitting", "ready"})
"""Of an instance that may be paid for ahead: it is there, and nobody asked it to end."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a payment ahead comes to, at the full price: the discount is not known before."""

    amount_eur: Decimal
    covers_seconds: float
    """Running time that the amount pays for without a discount."""
    term_seconds: float
    """Until the instance ends by itself, whatever was paid."""
    unused_eur: Decimal
    """What it cannot use up until then."""
    lost_then_eur: Decimal
    """What is kept of that at the end of its term."""
    lost_at_most_eur: Decimal
    """What is kept where it ends at once."""


def quote(
    price_eur_per_hour: Decimal, amount_eur: Decimal, now: datetime, end_by: datetime
) -> Quote:
    """`price_eur_per_hour` is without storage, which is not paid ahead."""
    used = accrued(price_eur_per_hour, now, end_by)
    unused = max(Decimal(0), amount_eur - used)
    hours = amount_eur / price_eur_per_hour if price_eur_per_hour > 0 else Decimal(0)
    return Quote(
        amount_eur,
        float(hours) * 3600,
        max(0.0, (end_by - now).total_seconds()),
        unused,
        kept_of(unused),
        kept_of(amount_eur),
    )


def kept_of(amount_eur: Decimal) -> Decimal:
    """What the provider keeps of an amount that was not used up."""
    return (amount_eur * FEE).quantize(MILLIONTH, ROUND_UP)
