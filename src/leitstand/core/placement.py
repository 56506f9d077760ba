"""Which offer a job takes, and why not the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from leitstand.core import limits
from leitstand.core.cost import accrued, spelled, worst_case
from leitstand.core.instant import utc

TIERS = ("L", "A", "B", "C", "D")
"""Trust tiers from the own machine down to a host nobody vouches for (`docs/security.md`). Here
alone they are in order."""
TIER_OF_CLASS = {0: "D", 1: "C", 2: "B", 3: "A"}
"""The lowest tier that may see media of a data class (`docs/security.md` §1)."""


def enough(tier: str, lowest: str) -> bool:
    """Whether a tier is trusted at least as much as the lowest that is allowed."""
    return TIERS.index(tier) <= TIERS.index(lowest)


def lowest_for(tier: str) -> tuple[str, ...]:
    """What may be asked for at the least, so that a tier is `enough`."""
    return tuple(lowest for lowest in TIERS if enough(tier, lowest))


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the tasks of an instance need at once. `accelerator` is cuda, cpu or any; VRAM and CUDA
    rules apply only where the offer's accelerator is a GPU. `regions`: None is anywhere."""

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

    @property
    def rate_eur_per_hour(self) -> Decimal:
        """What an hour costs in all: price and storage."""
        return self.price_eur_per_hour + self.storage_eur_per_hour


@dataclass(frozen=True, slots=True)
class Rejection:
    """The first rule an offer fails, with what it has and what the rule needs."""

    rule: str
    has: str
    needs: str
    short_by: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """An offer that may do the work, with its cost to the result. `end_by`: when an instance of it
    must be gone; until then it costs `worst_eur` at most."""

    offer: Offer
    expected_eur: Decimal
    worst_eur: Decimal
    finish_at: datetime
    end_by: datetime


@dataclass(frozen=True, slots=True)
class Placement:
    """The verdict: the ranked offers, best first, and why the others fell."""

    ranked: tuple[Ranked, ...]
    rejected: tuple[tuple[Offer, Rejection], ...]

    @property
    def chosen(self) -> Ranked | None:
        """The offer to take; None when no offer may see the media or can do the work."""
        return self.ranked[0] if self.ranked else None


def tier_min(data_class: int, set_tier: str | None = None) -> str:
    """The lowest tier that may see media of this class; a setting can only raise it."""
    rule = TIER_OF_CLASS[data_class]
    return rule if set_tier is None else min(rule, set_tier, key=TIERS.index)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A launch that a provider refused, or that never came to be."""

    provider: str
    offer_id: str
    code: str
    at: datetime


_OF_THE_OFFER = frozenset({"no-capacity"})
"""Refusals that leave the provider's other offers as good as they were."""


def resting(
    offers: Iterable[Offer], refusals: Sequence[Refusal], now: datetime
) -> tuple[list[Offer], str | None]:
    """The offers that may be tried now, and the newest refusal's code where some may not yet.

    The n-th refusal of an offer (or, where it speaks of the provider, of all its offers) is followed
    by a pause of 2ⁿ⁻¹ s, at most five minutes.
    """
    awake: list[Offer] = []
    code: str | None = None
    newest: datetime | None = None
    for offer in offers:
        met = [
            r
            for r in refusals
            if r.provider == offer.provider
            and (r.code not in _OF_THE_OFFER or r.offer_id == offer.offer_id)
        ]
        last = max(met, key=lambda r: r.at, default=None)
        doublings = min(max(len(met) - 1, 0), limits.EFFECT_PAUSE_DOUBLINGS_MAX)
        pause = min(timedelta(seconds=2**doublings), limits.PAUSE_MAX)
        if last is None or now - last.at >= pause:
            awake.append(offer)
        elif newest is None or last.at > newest:
            code, newest = last.code, last.at
    return awake, code


def place(
    offers: Iterable[Offer],
    want: Requirements,
    now: datetime,
    work_seconds: Callable[[Offer], float],
    due_at: datetime | None = None,
    left_eur: Decimal | None = None,
    shares: int = 1,
) -> Placement:
    """Filter by every rule, then rank by expected cost, finish and price.

    `work_seconds` forecasts boot plus work on an offer. What finishes after `due_at` falls, and so
    does what needs more money than `left_eur` (None: nothing limits it). The worst case is always
    the whole term, because that is what gets reserved: until `want.end_by`, or as long as the money
    lasts, of which `shares` instances get a part each. Work longer than the term goes on with
    another instance. The order is total, so the same offers give the same choice.
    """
    ranked: list[Ranked] = []
    rejected: list[tuple[Offer, Rejection]] = []
    end_by = want.end_by or now + timedelta(hours=1)
    for offer in offers:
        fault = first_fault(offer, want)
        finish_at = now + timedelta(seconds=work_seconds(offer))
        if fault is None and due_at is not None and finish_at > due_at:
            late = math.ceil((finish_at - due_at).total_seconds())
            fault = Rejection("deadline", _moment(finish_at), _moment(due_at), f"{late} s")
        needed = needed_term(finish_at - now)
        if fault is None and left_eur is not None:
            fault = _budget_fault(offer, now, needed, left_eur)
        if fault is not None:
            rejected.append((offer, fault))
            continue
        rate = offer.rate_eur_per_hour
        expected = max(accrued(rate, now, finish_at), offer.minimum_eur)
        until = end_by
        if left_eur is not None:
            until = now + affordable_term(rate, end_by - now, needed, left_eur, shares)
        worst = worst_case(rate, offer.minimum_eur, now, until)
        ranked.append(Ranked(offer, expected, worst, finish_at, until))
    return Placement(tuple(sorted(ranked, key=order)), tuple(rejected))


def needed_term(work: timedelta) -> timedelta:
    """The term that an instance needs for work of this forecast: forecasts err, and it drains
    before its term ends (`core/instance.py`)."""
    busy = work * limits.FORECAST_MARGIN
    return busy + min(limits.DRAIN_GRACE, busy / 3)


def affordable_term(
    rate: Decimal, longest: timedelta, needed: timedelta, left_eur: Decimal, shares: int
) -> timedelta:
    """The term that `left_eur` pays for, its ending included, at most `longest`. Where several
    instances share the money, one takes no more than its part, unless it needs more."""
    if rate <= 0:
        return longest
    paid = int(left_eur * 3600 // rate)
    part = max(paid // shares, math.ceil((needed + limits.ENDING).total_seconds()))
    seconds = min(paid, part) - int(limits.ENDING.total_seconds())
    return longest if seconds >= longest.total_seconds() else timedelta(seconds=seconds)


def _budget_fault(
    offer: Offer, now: datetime, needed: timedelta, left_eur: Decimal
) -> Rejection | None:
    over = now + needed + limits.ENDING
    amount = worst_case(offer.rate_eur_per_hour, offer.minimum_eur, now, over)
    if amount <= left_eur:
        return None
    return Rejection("budget", spelled(left_eur), spelled(amount), spelled(amount - left_eur))


def order(ranked: Ranked) -> tuple[Decimal, datetime, Decimal, str, str]:
    """Cheapest to the result first, then soonest, then cheapest by the hour; total over offers."""
    offer = ranked.offer
    rate = offer.rate_eur_per_hour
    return ranked.expected_eur, ranked.finish_at, rate, offer.provider, offer.offer_id


def first_fault(offer: Offer, want: Requirements) -> Rejection | None:
    """The first rule that `offer` fails, in the order of the decision; None when it may and can."""
    if not enough(offer.tier, want.tier_min):
        return Rejection("tier", offer.tier, want.tier_min)
    regions = want.regions
    if regions is not None and offer.tier != "L" and offer.region not in regions:
        return Rejection("region", offer.region or "unknown", ", ".join(regions) or "none")
    if want.accelerator != "any" and offer.accelerator != want.accelerator:
        return Rejection("accelerator", offer.accelerator, want.accelerator)
    if offer.accelerator == "cuda":
        fault = _gpu_fault(offer, want)
        if fault is not None:
            return fault
    for rule, has, needs in (
        ("memory", offer.ram_gib, want.ram_gib),
        ("disk", offer.disk_gib, want.disk_gib),
    ):
        if has < needs:
            return Rejection(rule, f"{has:.1f} GiB", f"{needs:.1f} GiB", f"{needs - has:.1f} GiB")
    speed = offer.down_mbit_per_s
    if speed is not None and speed < want.down_mbit_per_s:
        needs_speed = f"{want.down_mbit_per_s:.0f} Mbit/s"
        return Rejection("bandwidth", f"{speed:.0f} Mbit/s", needs_speed)
    rate, price_max = offer.rate_eur_per_hour, want.price_max_eur_per_hour
    if price_max is not None and rate > price_max:
        return Rejection("price", spelled(rate), spelled(price_max), spelled(rate - price_max))
    return None


def _gpu_fault(offer: Offer, want: Requirements) -> Rejection | None:
    if offer.vram_gib < want.vram_gib:
        short = want.vram_gib - offer.vram_gib
        return Rejection(
            "vram", f"{offer.vram_gib:.1f} GiB", f"{want.vram_gib:.1f} GiB", f"{short:.1f} GiB"
        )
    for rule, has, needs in (
        ("cuda", offer.cuda, want.cuda_min),
        ("compute-capability", offer.compute_capability, want.compute_capability_min),
    ):
        if has is None or _version(has) < _version(needs):
            return Rejection(rule, has or "unknown", needs)
    return None


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
        cuda_min=max((want.cuda_min for want in wants), key=_version),
        compute_capability_min=max((want.compute_capability_min for want in wants), key=_version),
        disk_gib=max(want.disk_gib for want in wants),
        ram_gib=max(want.ram_gib for want in wants),
        down_mbit_per_s=max(want.down_mbit_per_s for want in wants),
        tier_min=min((want.tier_min for want in wants), key=TIERS.index),
        regions=tuple(sorted(set.intersection(*regions))) if regions else None,
        end_by=min(ends) if ends else None,
        price_max_eur_per_hour=min(prices) if prices else None,
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else 0 for part in text.split("."))


def _moment(at: datetime) -> str:
    return utc(at.replace(microsecond=0))
