"""Which offer a job takes, and why not the others: cost to the result, ranked, with the runner-up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from leitstand.core import limits
from leitstand.core.cost import MILLIONTH, spelled, worst_case
from leitstand.core.filters import Rejection, first_fault
from leitstand.core.instant import utc
from leitstand.core.offer import (
    OWN_TIER,
    TIER_OF_CLASS,
    TIERS,
    Offer,
    Requirements,
    combined,
    enough,
    lowest_for,
    tier_min,
)
from leitstand.core.outlook import Outlook
from leitstand.core.resting import Refusal, resting

__all__ = [
    "OWN_TIER",
    "TIERS",
    "TIER_OF_CLASS",
    "Offer",
    "Placement",
    "Ranked",
    "Refusal",
    "Rejection",
    "Requirements",
    "Terms",
    "combined",
    "enough",
    "first_fault",
    "lowest_for",
    "place",
    "resting",
    "tier_min",
]

_HOUR = Decimal(3600)
GB_PER_GIB = 1.073741824


@dataclass(frozen=True, slots=True)
class Ranked:
    """An offer that may do the work, with its cost to the result. `end_by`: when an instance of it
    must be gone; until then it costs `worst_eur` at most. `low_eur` is without a loss, `high_eur`
    with work as long as the forecast's margin allows and one loss, where losses are known of."""

    offer: Offer
    expected_eur: Decimal
    worst_eur: Decimal
    finish_at: datetime
    end_by: datetime
    outlook: Outlook
    low_eur: Decimal = Decimal(0)
    high_eur: Decimal = Decimal(0)
    parts_eur: Mapping[str, Decimal] = field(default_factory=dict)
    traffic_eur: Decimal = Decimal(0)
    """What of `worst_eur` is for traffic."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The verdict: the ranked offers, best first, and why the others fell. `near` holds the best of
    those that only a limit of price, money or time kept out, by rule."""

    ranked: tuple[Ranked, ...]
    rejected: tuple[tuple[Offer, Rejection], ...]
    near: Mapping[str, tuple[Ranked, Rejection]] = field(default_factory=dict)

    @property
    def chosen(self) -> Ranked | None:
        """The offer to take; None when no offer may see the media or can do the work."""
        return self.ranked[0] if self.ranked else None


@dataclass(frozen=True, slots=True)
class Terms:
    """What limits a plan beside the rules: the moment, the deadline, the money, how many instances
    share it, why no machine but an own one can be taken now, and why none can that is an own one and
    not this computer. `own_first`: an own machine is taken wherever one may and can; `burst` says
    when a rented one is, beside it: `full`, where none does, or `late`, where besides there is a
    deadline to keep."""

    now: datetime
    due_at: datetime | None = None
    left_eur: Decimal | None = None
    shares: int = 1
    outside: Rejection | None = None
    nearby: Rejection | None = None
    own_first: bool = False
    burst: str = "full"

    def barred(self, offer: Offer) -> Rejection | None:
        """Why no machine of this kind can be taken now."""
        if offer.tier != OWN_TIER:
            return self.outside
        return self.nearby if offer.networked else None


def place(
    offers: Iterable[Offer],
    want: Requirements | Mapping[str, Requirements],
    terms: Terms,
    outlook_of: Callable[[Offer], Outlook],
) -> Placement:
    """Filter by every rule, then rank by expected cost, finish and price.

    `want` is for all offers, or by provider. After the hard filters fall, in this order: while
    `terms.outside` says why, whatever is no own machine; a machine in quarantine; what finishes
    after `due_at`; a bid that would be late if it were lost once, because a deadline makes the work
    critical; what needs more money than is left. The worst case is always the whole term, because
    that is what gets reserved: until `want.end_by`, or as long as the money lasts. Work longer than
    the term goes on with another instance. The order is total, so the same offers give the same
    choice, however they are shuffled. Last of all, where `terms.own_first`, fall rented machines
    beside own ones.
    """
    ranked: list[Ranked] = []
    rejected: list[tuple[Offer, Rejection]] = []
    near: dict[str, tuple[Ranked, Rejection]] = {}
    for offer in offers:
        wanted = want if isinstance(want, Requirements) else want[offer.provider]
        fault = first_fault(offer, wanted)
        if fault is not None and fault.rule != "price":
            rejected.append((offer, fault))
            continue
        seen = outlook_of(offer)
        fault = fault or _fault_of_work(offer, seen, terms)
        if fault is None:
            ranked.append(weighed(offer, seen, wanted, terms))
            continue
        rejected.append((offer, fault))
        if _is_all(fault.rule, offer, seen, terms):
            one = weighed(offer, seen, wanted, Terms(terms.now))
            best = near.get(fault.rule)
            if best is None or order(one) < order(best[0]):
                near[fault.rule] = (one, fault)
    kept_out = _own_first(ranked, terms)
    if kept_out is not None:
        rejected += [(r.offer, kept_out) for r in ranked if r.offer.tier != OWN_TIER]
        ranked = [r for r in ranked if r.offer.tier == OWN_TIER]
        near = {rule: one for rule, one in near.items() if one[0].offer.tier == OWN_TIER}
    return Placement(tuple(sorted(ranked, key=order)), tuple(rejected), near)


def _own_first(ranked: list[Ranked], terms: Terms) -> Rejection | None:
    """Why nothing is rented although it could be."""
    if not terms.own_first:
        return None
    if any(one.offer.tier == OWN_TIER for one in ranked):
        return Rejection("own-first", "rented", OWN_TIER)
    if terms.burst == "late" and terms.due_at is None:
        return Rejection("burst", "no deadline", "late")
    return None


def _is_all(rule: str, offer: Offer, seen: Outlook, terms: Terms) -> bool:
    """Whether nothing else keeps an offer out than this limit, which a person can ease."""
    match rule:
        case "price":
            return _fault_of_work(offer, seen, terms) is None
        case "deadline" | "criticality":
            return _fault_of_work(offer, seen, replace(terms, due_at=None)) is None
        case _:
            return rule == "budget"


def _fault_of_work(offer: Offer, seen: Outlook, terms: Terms) -> Rejection | None:
    now, until, due_at = terms.now, seen.quarantine_until, terms.due_at
    barred = terms.barred(offer)
    if barred is not None:
        return barred
    if until is not None and until > now:
        return Rejection("quarantine", _moment(until), _moment(now))
    finish_at = now + timedelta(seconds=seen.seconds)
    if due_at is not None and finish_at > due_at:
        return _late("deadline", finish_at, due_at)
    if due_at is not None and offer.bid:
        after_loss = now + timedelta(seconds=max(seen.busy_seconds + seen.loss_seconds, 0.0))
        if after_loss > due_at:
            return _late("criticality", after_loss, due_at)
    if terms.left_eur is not None:
        needed = needed_term(finish_at - now)
        return _budget_fault(offer, now, needed, terms.left_eur, reserved_traffic(offer, seen))
    return None


def _late(rule: str, finish_at: datetime, due_at: datetime) -> Rejection:
    late = math.ceil((finish_at - due_at).total_seconds())
    return Rejection(rule, _moment(finish_at), _moment(due_at), f"{late} s")


def weighed(offer: Offer, seen: Outlook, want: Requirements, terms: Terms) -> Ranked:
    """An offer with its cost to the result and its worst case."""
    now, rate = terms.now, offer.rate_eur_per_hour
    longest = want.end_by or now + timedelta(hours=1)
    finish_at = now + timedelta(seconds=seen.seconds)
    until, traffic = longest, reserved_traffic(offer, seen)
    if terms.left_eur is not None:
        needed, left = needed_term(finish_at - now), terms.left_eur - traffic
        until = now + affordable_term(rate, longest - now, needed, left, terms.shares)
    parts = parts_of(offer, seen)
    expected = sum(parts.values(), Decimal(0))
    calm = seen.busy_seconds + seen.release_seconds
    slow = seen.busy_seconds * limits.FORECAST_MARGIN + seen.release_seconds
    worst = worst_case(rate, offer.minimum_eur, now, until) + traffic
    low = _cost(rate, calm) + traffic_of(offer, seen.down_gib, seen.up_gib)
    return Ranked(
        offer,
        expected,
        worst,
        finish_at,
        until,
        seen,
        min(expected, max(low, offer.minimum_eur)),
        max(expected, min(worst, _cost(rate, slow + seen.loss_seconds) + traffic)),
        parts,
        traffic,
    )


def reserved_traffic(offer: Offer, seen: Outlook) -> Decimal:
    """What one instance may cost in traffic."""
    margin = limits.TRAFFIC_MARGIN
    return traffic_of(offer, seen.down_gib * margin, seen.up_gib * margin)


def traffic_of(offer: Offer, down_gib: float, up_gib: float) -> Decimal:
    """What so much traffic of an instance costs."""
    if not (offer.down_eur_per_gb or offer.up_eur_per_gb):
        return Decimal(0)
    down = offer.down_eur_per_gb * Decimal(down_gib * GB_PER_GIB)
    up = offer.up_eur_per_gb * Decimal(up_gib * GB_PER_GIB)
    return (down + up).quantize(MILLIONTH, ROUND_UP)


def parts_of(offer: Offer, seen: Outlook) -> dict[str, Decimal]:
    """The expected cost to the result, by what it is paid for; `minimum` is what a provider's least
    charge adds."""
    price = offer.price_eur_per_hour
    parts = {
        "boot": _cost(price, seen.boot_seconds),
        "transfer": _cost(price, seen.transfer_seconds),
        "work": _cost(price, seen.work_seconds),
        "redo": _cost(price, seen.redo_seconds),
        "release": _cost(price, seen.release_seconds),
        "storage": _cost(offer.storage_eur_per_hour, seen.seconds + seen.release_seconds),
        "traffic": traffic_of(offer, seen.down_gib + seen.again_gib, seen.up_gib),
    }
    least = offer.minimum_eur - sum(parts.values(), Decimal(0))
    return {**parts, "minimum": max(least, Decimal(0))}


def _cost(rate: Decimal, seconds: float) -> Decimal:
    return (rate * Decimal(seconds) / _HOUR).quantize(MILLIONTH, ROUND_UP)


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
    offer: Offer, now: datetime, needed: timedelta, left_eur: Decimal, traffic_eur: Decimal
) -> Rejection | None:
    over = now + needed + limits.ENDING
    amount = worst_case(offer.rate_eur_per_hour, offer.minimum_eur, now, over) + traffic_eur
    if amount <= left_eur:
        return None
    return Rejection("budget", spelled(left_eur), spelled(amount), spelled(amount - left_eur))


def order(ranked: Ranked) -> tuple[Decimal, datetime, Decimal, str, str]:
    """Cheapest to the result first, then soonest, then cheapest by the hour; total over offers."""
    offer = ranked.offer
    rate = offer.rate_eur_per_hour
    return ranked.expected_eur, ranked.finish_at, rate, offer.provider, offer.offer_id


def _moment(at: datetime) -> str:
    return utc(at.replace(microsecond=0))
