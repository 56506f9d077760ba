"""Hard filters: whether an offer may see the media and can do the work, and the first rule it fails."""

from __future__ import annotations

from dataclasses import dataclass

from leitstand.core.accelerator import ANY, NVIDIA, STAFFED, named
from leitstand.core.cost import spelled
from leitstand.core.offer import CONTRACTED, OWN_TIER, TIERS, Offer, Requirements, version

DRIVERS = ((13, "580.65.06"), (12, "525.60.13"), (11, "450.80.02"))
"""The oldest Linux driver for each CUDA generation, minor version compatibility included
(docs.nvidia.com/deploy/cuda-compatibility)."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The first rule an offer fails, with what it has and what the rule needs."""

    rule: str
    has: str
    needs: str
    short_by: str | None = None


RULES = (
    "tier",
    "agreement",
    "regions-unset",
    "region",
    "image-age",
    "accelerator",
    "vram",
    "cuda",
    "driver",
    "compute-capability",
    "memory",
    "disk",
    "bandwidth",
    "reliability",
    "price",
)
"""In this order: first what an offer may not, then what it cannot, last what it costs. What depends
on the work too, `placement.place` asks after these."""


def first_fault(offer: Offer, want: Requirements) -> Rejection | None:
    """The first of `RULES` that `offer` fails; None when it may and can. Unknown facts of a GPU and
    an unknown region fail; an unknown driver, speed or reliability does not."""
    return _may(offer, want) or _gpu(offer, want) or _machine(offer, want) or _price(offer, want)


def _may(offer: Offer, want: Requirements) -> Rejection | None:
    lowest = TIERS.index(want.tier_min)
    if TIERS.index(offer.tier) > lowest:
        if _would_do(offer.tier_if_agreed, lowest):
            return Rejection("agreement", "none", want.tier_min)
        if offer.region is None and _would_do(offer.tier_if_placed, lowest):
            return Rejection("region", "unknown", ", ".join(want.regions or ()) or want.tier_min)
        return Rejection("tier", offer.tier, want.tier_min)
    if offer.tier != OWN_TIER:
        fault = _elsewhere(offer, want)
        if fault is not None:
            return fault
    has, needs = named(offer.accelerator), named(want.accelerator)
    if needs not in (ANY, has):
        return Rejection("accelerator", has, needs)
    if has not in STAFFED:
        return Rejection("accelerator", has, ", ".join(STAFFED))
    return None


def _would_do(tier: str | None, lowest: int) -> bool:
    return tier is not None and TIERS.index(tier) <= lowest


def _elsewhere(offer: Offer, want: Requirements) -> Rejection | None:
    """Where a rented machine stands, and what it starts from. A contracted data centre is one in an
    allowed region: where media need one, nothing is allowed until somebody has said which are."""
    regions, contracted = want.regions, TIERS.index(want.tier_min) <= TIERS.index(CONTRACTED)
    if regions is None:
        if not contracted:
            return None
        return Rejection("regions-unset", offer.region or "unknown", setting_of(offer.provider))
    if offer.region is None or offer.region not in regions:
        return Rejection("region", offer.region or "unknown", ", ".join(regions) or "none")
    return _aged(want) if contracted else None


def _aged(want: Requirements) -> Rejection | None:
    age, most = want.image_days, want.image_days_max
    if most is None or (age is not None and age <= most):
        return None
    if age is None:
        return Rejection("image-age", "unknown", f"{most} d")
    return Rejection("image-age", f"{age} d", f"{most} d", f"{age - most} d")


def setting_of(provider: str) -> str:
    """Where the regions of a provider are named."""
    return f"providers.{provider}.regions"


def _gpu(offer: Offer, want: Requirements) -> Rejection | None:
    if named(offer.accelerator) != NVIDIA:
        return None
    if offer.vram_gib < want.vram_gib:
        return _short("vram", offer.vram_gib, want.vram_gib)
    if offer.cuda is None or version(offer.cuda) < version(want.cuda_min):
        return Rejection("cuda", offer.cuda or "unknown", want.cuda_min)
    driver = driver_min(want.cuda_min)
    if offer.driver is not None and version(offer.driver) < version(driver):
        return Rejection("driver", offer.driver, driver)
    has, needs = offer.compute_capability, want.compute_capability_min
    if has is None or version(has) < version(needs):
        return Rejection("compute-capability", has or "unknown", needs)
    return None


def driver_min(cuda: str) -> str:
    """The oldest driver that runs programs for this CUDA."""
    major = version(cuda)[0]
    return next((oldest for least, oldest in DRIVERS if major >= least), "0")


def _machine(offer: Offer, want: Requirements) -> Rejection | None:
    disk = want.disk_of(offer.tier)
    if offer.ram_gib < want.ram_gib:
        return _short("memory", offer.ram_gib, want.ram_gib)
    if offer.disk_gib < disk:
        return _short("disk", offer.disk_gib, disk)
    speed = offer.down_mbit_per_s
    if speed is not None and speed < want.down_mbit_per_s:
        needs_speed = f"{want.down_mbit_per_s:.0f} Mbit/s"
        return Rejection("bandwidth", f"{speed:.0f} Mbit/s", needs_speed)
    given = offer.reliability
    if given is not None and given < want.reliability_min:
        return Rejection("reliability", f"{given:.3f}", f"{want.reliability_min:.3f}")
    return None


def _price(offer: Offer, want: Requirements) -> Rejection | None:
    rate, most = offer.rate_eur_per_hour, want.price_max_eur_per_hour
    if most is not None and rate > most:
        return Rejection("price", spelled(rate), spelled(most), spelled(rate - most))
    return None


def _short(rule: str, has: float, needs: float) -> Rejection:
    return Rejection(rule, f"{has:.1f} GiB", f"{needs:.1f} GiB", f"{needs - has:.1f} GiB")
