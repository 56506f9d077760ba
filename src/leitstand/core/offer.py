"""What a task needs and what can be rented: requirements, offers, trust tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from leitstand.core.dollars import Rate

TIERS = ("L", "A", "B", "C", "D")
"""Trust tiers from the own machine down to a host nobody vouches for (`docs/security.md`). Here
alone they are in order."""
OWN_TIER = TIERS[0]
CONTRACTED = "B"
"""The lowest tier that vouches for where a machine stands: an agreement, and an allowed region."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the tasks of an instance need at once. `accelerator` is nvidia, amd, cpu or any; VRAM and CUDA
    rules apply only where the offer's accelerator is a GPU. `regions`: None is anywhere, except where
    `tier_min` asks for a contracted data centre: then it is nowhere but here.
    `image_days`: how old is what a rented machine starts from, None where nobody knows; it may be
    `image_days_max` where a contracted data centre is asked for.
    `own_disk_gib` is what an own machine needs of disk, where that is less than a rented one."""

    accelerator: str = "any"
    vram_gib: float = 0.0
    cuda_min: str = "11.8"
    compute_capability_min: str = "6.0"
    disk_gib: float = 0.0
    ram_gib: float = 0.0
    down_mbit_per_s: float = 0.0
    tier_min: str = "D"
    regions: tuple[str, ...] | None = None
    end_by: datetime | None = None
    price_max_eur_per_hour: Decimal | None = None
    own_disk_gib: float | None = None
    reliability_min: float = 0.0
    image_days: int | None = None
    image_days_max: int | None = None

    def disk_of(self, tier: str) -> float:
        """The disk that an offer of this tier must have."""
        own = tier == OWN_TIER and self.own_disk_gib is not None
        return self.own_disk_gib or 0.0 if own else self.disk_gib


@dataclass(frozen=True, slots=True)
class Offer:
    """Rentable now, at a price. `accelerator` is nvidia, amd or cpu; absent facts are None.

    `bid`: the price is a bid, and whoever bids more takes the machine. `reliability` is the
    provider's own word, 0 to 1. `tier_if_agreed`: the tier it would have, were a processing
    agreement with its provider recorded; `tier_if_placed`: were it known too where it stands.
    `quoted`: the provider's own price in its own currency, and the rate that made euros of it;
    `usd_eur` and `usd_eur_date` are that rate and its day.
    `networked`: an own machine that starts from a stock image and dials us over the network, as a
    rented one does over the internet. `place`: where in its region, in the provider's word, as
    far as volumes are bound to it; `volume`: the provider's id of the one that an instance of this
    offer gets, on which `cached_gib` of the models of the work lie. `traffic_eur`: what one instance
    of it may cost in traffic for the work it was weighed for; it is reserved with its time.
    """

    provider: str
    offer_id: str
    accelerator: str
    gpu: str | None
    gpus: int
    vram_gib: float
    cuda: str | None
    compute_capability: str | None
    driver: str | None
    cores: int
    ram_gib: float
    disk_gib: float
    down_mbit_per_s: float | None
    tier: str
    region: str | None
    host: str | None
    price_eur_per_hour: Decimal
    minimum_eur: Decimal = Decimal(0)
    storage_eur_per_hour: Decimal = Decimal(0)
    bid: bool = False
    reliability: float | None = None
    tier_if_agreed: str | None = None
    tier_if_placed: str | None = None
    quoted: str | None = None
    usd_eur: Decimal | None = None
    usd_eur_date: str | None = None
    networked: bool = False
    place: str | None = None
    volume: str | None = None
    cached_gib: float = 0.0
    down_eur_per_gb: Decimal = Decimal(0)
    up_eur_per_gb: Decimal = Decimal(0)
    traffic_eur: Decimal = Decimal(0)

    @property
    def rate(self) -> Rate | None:
        """What made euros of its dollars; None where it was asked in euros."""
        return None if self.usd_eur is None else Rate(self.usd_eur, self.usd_eur_date)

    @property
    def rate_eur_per_hour(self) -> Decimal:
        """What an hour costs in all: price and storage."""
        return self.price_eur_per_hour + self.storage_eur_per_hour


TIER_OF_CLASS = {0: "D", 1: "C", 2: "B", 3: "A"}
"""The lowest tier that may see media of a data class (`docs/security.md` §1)."""


def enough(tier: str, lowest: str) -> bool:
    """Whether a tier is trusted at least as much as the lowest that is allowed."""
    return TIERS.index(tier) <= TIERS.index(lowest)


def lowest_for(tier: str) -> tuple[str, ...]:
    """What may be asked for at the least, so that a tier is `enough`."""
    return tuple(lowest for lowest in TIERS if enough(tier, lowest))


def tier_min(data_class: int, set_tier: str | None = None) -> str:
    """The lowest tier that may see media of this class; a setting can only raise it."""
    rule = TIER_OF_CLASS[data_class]
    return rule if set_tier is None else min(rule, set_tier, key=TIERS.index)


def combined(wants: Sequence[Requirements]) -> Requirements:
    """What an instance needs that is meant for all of these tasks: the maximum of each."""
    if not wants:
        return Requirements()
    regions = [set(want.regions) for want in wants if want.regions is not None]
    ends = [want.end_by for want in wants if want.end_by is not None]
    prices = [
        want.price_max_eur_per_hour for want in wants if want.price_max_eur_per_hour is not None
    ]
    accelerators = {want.accelerator for want in wants} - {"any"}
    return Requirements(
        accelerator=accelerators.pop() if len(accelerators) == 1 else "any",
        vram_gib=max(want.vram_gib for want in wants),
        cuda_min=max((want.cuda_min for want in wants), key=version),
        compute_capability_min=max((want.compute_capability_min for want in wants), key=version),
        disk_gib=max(want.disk_gib for want in wants),
        ram_gib=max(want.ram_gib for want in wants),
        down_mbit_per_s=max(want.down_mbit_per_s for want in wants),
        tier_min=min((want.tier_min for want in wants), key=TIERS.index),
        regions=tuple(sorted(set.intersection(*regions))) if regions else None,
        end_by=min(ends) if ends else None,
        price_max_eur_per_hour=min(prices) if prices else None,
        own_disk_gib=max(want.disk_of(OWN_TIER) for want in wants),
        reliability_min=max(want.reliability_min for want in wants),
    )


@lru_cache(maxsize=4096)
def version(text: str) -> tuple[int, ...]:
    """`12.10` as numbers that compare; a part that is none counts as 0."""
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))
