"""Dollars of a provider as euros, by a rate that a person set and dated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from leitstand.core.problem import Exit, Problem
from leitstand.ports import Rejected

_MICRO = Decimal("0.000001")
USD_MAX = Decimal(1_000_000)
"""More is no price, and no amount that the store could keep."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Euros for a dollar, and the day of which that was so."""

    eur_per_usd: Decimal
    day: str | None = None

    def euros(self, usd: Decimal) -> Decimal:
        """In millionths. Dollars are rounded first, so that the same price in two spellings
        (2.07, 2.0699999999999998) is the same in euros."""
        return (usd.quantize(_MICRO) * self.eur_per_usd).quantize(_MICRO)

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
