"""Dollars of a provider as euros, by a rate that a person set and dated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, InvalidOperation

from leitstand.core.problem import Exit, Problem
from leitstand.ports import Rejected

_MICRO, _NANO = Decimal("0.000001"), Decimal("0.000000001")
USD_MAX = Decimal(1_000_000)
"""More is no price, and no amount that the store could keep."""


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


def read_rate(settings: Mapping[str, str]) -> Rate:
    """Of the settings `usd_eur` and `usd_eur_date`. Raises Problem `dollar-rate-unset`, Rejected on
    what is no rate."""
    if "usd_eur" not in settings:
        raise Problem("dollar-rate-unset", Exit.USAGE)
    try:
        rate = Decimal(settings["usd_eur"])
    except InvalidOperation:
        raise Rejected("usd_eur is not a rate") from None
    if not (rate.is_finite() and 0 < rate <= 100):
        raise Rejected("usd_eur is not a rate")
    return Rate(rate, settings.get("usd_eur_date") or None)
