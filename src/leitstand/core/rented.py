"""What a provider says of rented machines beside its list: log lines, bills, volumes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from leitstand.core.dollars import Rate


@dataclass(frozen=True, slots=True)
class Dollars:
    """An amount as a provider says it, and the rate that makes euros of it today."""

    usd: Decimal
    rate: Rate


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of what an instance or its host said; `source` in the provider's word."""

    at: datetime | None
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Billed:
    """What an instance cost in a period, by the provider's books."""

    provider_id: str
    amount_eur: Decimal
    from_at: datetime
    to_at: datetime
    label: str | None = None
    """Where the books name it."""
    paid: Dollars | None = None
    """What `amount_eur` was before it was euros."""


@dataclass(frozen=True, slots=True)
class Stray:
    """An instance under our label that no record stands for."""

    provider: str
    provider_id: str
    label: str
    price_eur_per_hour: str | None = None
    since: datetime | None = None
    """None: the label says when it was ordered."""
    until: datetime | None = None
    """None: it is there. What it cost from then on is nobody's but the provider's to say."""
    region: str | None = None
    gpu: str | None = None
    usd_eur: str | None = None
    usd_eur_date: str | None = None

    def at_rate_of(self, asked: Dollars | None) -> Stray:
        """With the rate at which its money is booked for good."""
        if asked is None:
            return self
        rate = asked.rate
        return replace(self, usd_eur=str(rate.eur_per_usd), usd_eur_date=rate.day)


@dataclass(frozen=True, slots=True)
class Prepaid:
    """What a payment ahead bought: so many months, at a discount, by the provider's word."""

    months: float | None
    discount: float | None


@dataclass(frozen=True, slots=True)
class Volume:
    """Storage at a provider that outlives instances."""

    volume_id: str
    name: str
    size_gb: int
    region: str | None
    place: str | None
    """Where it can be mounted, in the provider's word."""
