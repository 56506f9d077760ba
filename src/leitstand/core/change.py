"""What would alter a choice: the least change of price, money, time or luck that another offer needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from leitstand.core.cost import MILLIONTH, spelled
from leitstand.core.filters import first_fault
from leitstand.core.instant import utc
from leitstand.core.offer import Offer, Requirements
from leitstand.core.placement import Placement, Ranked, Terms, order, traffic_of

_HOUR = Decimal(3600)


@dataclass(frozen=True, slots=True)
class Change:
    """One change after which `offer` would be chosen. `by` is how large it is against what is now,
    so that changes of different kinds compare."""

    kind: str
    """price: this offer costs under `to` an hour. own-price: the chosen one costs over `to`.
    losses: it is lost less often than `to` times an hour. deadline: time until `to`. budget: `to`
    is left. price-max: the highest price is `to`. Else the rule it fails, needing only `to`."""
    offer: Offer
    to: str
    by: float
    expected_eur: Decimal | None = None
    finish_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The best bid against the best firm offer: how often it may be lost before it costs more."""

    bid: Offer
    firm: Offer
    losses_per_hour: float
    """Known so far, or believed."""
    even_losses_per_hour: float
    allowed: bool
    """False where a deadline makes the work critical: a loss would make it late."""


def would_change(
    placement: Placement, want: Requirements | Mapping[str, Requirements], terms: Terms
) -> tuple[Change, ...]:
    """Single changes that make another offer the chosen one, the smallest first."""
    found = [*_by_price(placement), *_by_luck(placement), *_by_limit(placement, terms)]
    if not found and not placement.ranked:
        found = _by_need(placement, want)
    return tuple(sorted(found, key=least))


def _by_price(placement: Placement) -> Iterator[Change]:
    """The runner-up cheaper, or the chosen one dearer."""
    if len(placement.ranked) < 2:
        return
    best, second = placement.ranked[:2]
    gap = second.expected_eur - best.expected_eur
    needed = second.offer.price_eur_per_hour - _per_hour(gap, second)
    if needed > 0 and second.offer.minimum_eur < best.expected_eur:
        to = needed.quantize(MILLIONTH, ROUND_DOWN)
        yield _change("price", second, spelled(to), float(1 - to / second.offer.price_eur_per_hour))
    price = best.offer.price_eur_per_hour
    if price > 0:
        over = (price + _per_hour(gap + best.parts_eur["minimum"], best)).quantize(MILLIONTH)
        yield _change("own-price", second, spelled(over), float(over / price - 1))


def _per_hour(amount: Decimal, ranked: Ranked) -> Decimal:
    """What an hour would have to cost more or less for the result to cost `amount` more or less."""
    seconds = ranked.outlook.seconds + ranked.outlook.release_seconds
    return amount * _HOUR / Decimal(seconds) if seconds > 0 else Decimal(0)


def _by_luck(placement: Placement) -> Iterator[Change]:
    """The best bid, were it lost less often."""
    even = break_even(placement)
    if even is None or not even.allowed or even.even_losses_per_hour <= 0:
        return
    if even.losses_per_hour <= even.even_losses_per_hour:
        return
    bid = next(r for r in placement.ranked if r.offer == even.bid)
    firm = placement.ranked[0]
    if firm.offer == even.firm:
        by = 1 - even.even_losses_per_hour / even.losses_per_hour
        yield _change("losses", bid, f"{even.even_losses_per_hour:.4f}", by)


def _by_limit(placement: Placement, terms: Terms) -> Iterator[Change]:
    """A limit that keeps out an offer that would be the best."""
    best = placement.chosen
    for rule, (other, fault) in placement.near.items():
        if best is not None and order(other) >= order(best):
            continue
        if rule == "price":
            yield _change("price-max", other, fault.has, _larger(fault.has, fault.needs))
        elif rule == "budget":
            yield _change("budget", other, fault.needs, _larger(fault.needs, fault.has))
        elif terms.due_at is not None:
            time = (terms.due_at - terms.now).total_seconds()
            until = safe_at(other, terms.now)
            late = (until - terms.due_at).total_seconds() / time if time > 0 else 1.0
            yield _change("deadline", other, utc(until), late)


def safe_at(ranked: Ranked, now: datetime) -> datetime:
    """The earliest deadline that an offer keeps; a bid keeps one even if it is lost once."""
    seen = ranked.outlook
    lost = now + timedelta(seconds=seen.busy_seconds + seen.loss_seconds)
    return max(ranked.finish_at, lost) if ranked.offer.bid else ranked.finish_at


def _larger(to: str, now: str) -> float:
    return float(Decimal(to) / Decimal(now) - 1) if Decimal(now) > 0 else 1.0


_EASED: dict[str, Callable[[Requirements, Offer], tuple[Requirements, float, float]]] = {
    "vram": lambda w, o: (replace(w, vram_gib=o.vram_gib), o.vram_gib, w.vram_gib),
    "memory": lambda w, o: (replace(w, ram_gib=o.ram_gib), o.ram_gib, w.ram_gib),
    "disk": lambda w, o: (
        replace(w, disk_gib=o.disk_gib, own_disk_gib=o.disk_gib),
        o.disk_gib,
        w.disk_of(o.tier),
    ),
    "bandwidth": lambda w, o: (
        replace(w, down_mbit_per_s=o.down_mbit_per_s or 0.0),
        o.down_mbit_per_s or 0.0,
        w.down_mbit_per_s,
    ),
    "reliability": lambda w, o: (
        replace(w, reliability_min=o.reliability or 0.0),
        o.reliability or 0.0,
        w.reliability_min,
    ),
}
"""Rules about an amount. A tier, a region and an agreement have no amount, and no need is eased to
reach an offer that may not see the media."""


def _by_need(placement: Placement, want: Requirements | Mapping[str, Requirements]) -> list[Change]:
    """Where nothing may do the work: the amount that misses least, for each rule."""
    found: dict[str, Change] = {}
    for offer, fault in placement.rejected:
        ease = _EASED.get(fault.rule)
        if ease is None:
            continue
        needed = want if isinstance(want, Requirements) else want[offer.provider]
        eased, has, needs = ease(needed, offer)
        if first_fault(offer, eased) is not None:
            continue
        change = Change(fault.rule, offer, fault.has, 1 - has / needs)
        best = found.get(fault.rule)
        if best is None or least(change) < least(best):
            found[fault.rule] = change
    return list(found.values())


def _change(kind: str, other: Ranked, to: str, by: float) -> Change:
    return Change(kind, other.offer, to, by, other.expected_eur, other.finish_at)


def break_even(placement: Placement) -> BreakEven | None:
    """The best bid against the best firm offer, of those that may do the work; None where one of
    the two is missing."""
    bids = [r for r in placement.ranked if r.offer.bid]
    kept_out = placement.near.get("criticality")
    allowed = bool(bids)
    bid = bids[0] if bids else None if kept_out is None else kept_out[0]
    firm = next((r for r in placement.ranked if not r.offer.bid), None)
    if bid is None or firm is None:
        return None
    seen, rate = bid.outlook, bid.offer.rate_eur_per_hour
    # what an hour with one loss in it adds to the cost of the work
    fetched = float(traffic_of(bid.offer, seen.down_gib, 0.0))
    per_loss = (float(rate) * seen.loss_seconds / 3600 + fetched) * seen.work_seconds / 3600
    calm = float(rate) * (seen.busy_seconds + seen.release_seconds) / 3600
    calm += float(traffic_of(bid.offer, seen.down_gib + seen.failed_gib, seen.up_gib))
    even = (float(firm.expected_eur) - calm) / per_loss if per_loss > 0 else 0.0
    return BreakEven(bid.offer, firm.offer, seen.losses_per_hour, max(even, 0.0), allowed)


def least(change: Change) -> tuple[float, str, str, str]:
    """The order of changes: the smallest first; total."""
    return change.by, change.kind, change.offer.provider, change.offer.offer_id
