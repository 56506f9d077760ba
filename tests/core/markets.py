"""Generated markets: offers of every kind round one need, odds for each machine, limits."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from leitstand.core.offer import Offer, Requirements
from leitstand.core.outlook import Load, Odds, Outlook, outlook
from leitstand.core.placement import Terms
from tests.core.rows import NOW, offer

WANT = Requirements(
    vram_gib=16.0,
    disk_gib=100.0,
    down_mbit_per_s=100.0,
    tier_min="B",
    regions=("eu",),
    end_by=NOW + timedelta(hours=24),
    price_max_eur_per_hour=Decimal("2.00"),
    reliability_min=0.9,
)
LOAD = Load(20_000.0, 8.0)


def odds_of(one: Offer) -> Odds:
    """Odds that follow from the offer alone, different for each machine."""
    dice = random.Random(one.host)
    return Odds(
        starts=dice.uniform(0.5, 1.0),
        ready_seconds=dice.uniform(60, 900),
        losses_per_hour=dice.uniform(0.0, 1.0 if one.bid else 0.05),
        speed=dice.choice((4.0, 8.0, 12.0)),
        quarantine_until=NOW + timedelta(hours=1) if dice.random() < 0.1 else None,
        boot_gib=dice.choice((0.0, 4.0)),
    )


def look(one: Offer) -> Outlook:
    return outlook(one, LOAD, odds_of(one))


def prices(least: str = "0.01", most: str = "3") -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(least), Decimal(most), places=4)


@st.composite
def an_offer(draw: Any) -> Offer:
    return offer(
        offer_id=f"o{draw(st.integers(0, 10**9))}",
        provider=draw(st.sampled_from(("runpod", "vast"))),
        host=f"h{draw(st.integers(0, 10**6))}",
        price_eur_per_hour=draw(prices()),
        storage_eur_per_hour=draw(st.sampled_from((Decimal(0), Decimal("0.02")))),
        minimum_eur=draw(st.sampled_from((Decimal(0), Decimal("0.10")))),
        tier=draw(st.sampled_from(("L", "A", "B", "B", "B", "C"))),
        region=draw(st.sampled_from(("eu", "eu", "eu", "us", None))),
        vram_gib=draw(st.sampled_from((12.0, 24.0, 24.0, 48.0))),
        disk_gib=draw(st.sampled_from((60.0, 100.0, 500.0))),
        down_mbit_per_s=draw(st.sampled_from((50.0, 200.0, 900.0, None))),
        reliability=draw(st.sampled_from((None, 0.85, 0.99))),
        bid=draw(st.booleans()),
        down_eur_per_gb=draw(st.sampled_from((Decimal(0), Decimal("0.003"), Decimal("0.05")))),
        up_eur_per_gb=draw(st.sampled_from((Decimal(0), Decimal("0.02")))),
    )


MARKET = st.lists(an_offer(), max_size=14, unique_by=lambda o: (o.provider, o.offer_id))
TERMS = st.builds(
    lambda due, left, shares: Terms(
        NOW,
        None if due is None else NOW + timedelta(minutes=due),
        left,
        shares,
    ),
    st.none() | st.integers(20, 400),
    st.none() | prices("0.05", "5"),
    st.integers(1, 3),
)
