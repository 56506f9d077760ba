"""Dollars of a provider as euros, by a rate that a person set and dated. What is rented keeps the
rate that it was offered at: a rate that is set later changes no price that was agreed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from leitstand.core import limits

_MICRO, _NANO = Decimal("0.000001"), Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Rate:
    """Euros for a dollar, and the day of which that was so."""

    eur_per_usd: Decimal
    day: str | None = None

    def euros(self, usd: Decimal, rounding: str = ROUND_HALF_EVEN) -> Decimal:
        """In millionths. Dollars are rounded first, so that the same price in two spellings
        (2.07, 2.0699999999999998) is the same in euros."""
        return (usd.quantize(_NANO) * self.eur_per_usd).quantize(_MICRO, rounding)

    def asked(self, usd: Decimal) -> Decimal:
        """A price or a part of one, as offers carry it: rounded up."""
        return self.euros(usd, ROUND_CEILING)

    def charged(self, usd: Decimal) -> Decimal:
        """A price as it is read back: rounded down, so that one that was kept never looks dearer
        than the parts of the offer together."""
        return self.euros(usd, ROUND_FLOOR)

    def quoted(self, usd: Decimal) -> str:
        """The original of a price per hour, with what made euros of it."""
        shown = usd.quantize(_MICRO).normalize()
        return f"{shown:f} USD × {self.eur_per_usd:f}" + (f" ({self.day})" if self.day else "")


def agreed(offer: Mapping[str, Any]) -> Rate | None:
    """The rate of a recorded offer; None where it was asked in euros."""
    rate = offer.get("usd_eur")
    return None if rate is None else Rate(Decimal(rate), offer.get("usd_eur_date"))


def rate_is_old(day: date | str | None, now: datetime) -> bool:
    """Whether people are told: nobody said of which day it is, or that is long ago."""
    if day is None:
        return True
    of = date.fromisoformat(day) if isinstance(day, str) else day
    return now.date() - of > limits.RATE_AGE_WARN
