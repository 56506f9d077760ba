"""Which offer a job takes, and why not the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

TIERS = ("L", "A", "B", "C", "D")
"""Trust tiers from the own machine down to a host nobody vouches for (`docs/security.md`)."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the tasks of an instance need at once. `accelerator` is cuda, cpu or any; VRAM and CUDA
    rules apply only where the offer's accelerator is a GPU."""

    accelerator: str = "any"
    vram_gib: float = 0.0
    cuda_min: str = "11.8"
    compute_capability_min: str = "6.0"
    disk_gib: float = 0.0
    ram_gib: float = 0.0
    down_mbit_per_s: float = 0.0
    tier_min: str = "D"
    regions: tuple[str, ...] = ()
    end_by: datetime | None = None
    price_max_eur_per_hour: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Rentable now, at a price. `accelerator` is cuda or cpu; absent facts are None."""

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
