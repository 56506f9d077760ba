"""The rate that a person set for the dollars of providers, read from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from leitstand.core.dollars import Rate
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Rejected

USD_MAX = Decimal(1_000_000)
"""More is no price, and no amount that the store could keep."""


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
