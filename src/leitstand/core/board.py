"""The offers for one need, prepared for many jobs: filtered once, then two sums for each job.

What an offer costs, and when it is done, are sums of four terms in the work and the downloads of a
job: 1, work, downloads, and both together (a loss repeats the downloads). What lies on a volume of an
offer is never more than a job downloads (`Offer.cached_gib`). A job looks at these sums
in floating point and has only the cheapest two weighed by `placement.place`, to the millionth and
with every limit. So its choice is that of `place` over all offers, but for the rounding of sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from leitstand.core import limits
from leitstand.core.filters import Rejection, first_fault
from leitstand.core.offer import OWN_TIER, Offer, Requirements
from leitstand.core.outlook import Load, Odds, Outlook, outlook
from leitstand.core.placement import GB_PER_GIB, Placement, Terms, place

Terms4 = tuple[float, float, float, float]
"""Factors of 1, work, downloads, and both."""
_Cost = tuple[float, float, float, float, float, int]
"""The same of a cost, then the least charge, and which offer."""


class Board:
    """What `odds_of` believes of the offers that pass every filter. `want` is by provider; `barred`
    says why no machine of an offer's kind can be taken now."""

    def __init__(
        self,
        offers: Iterable[Offer],
        want: Mapping[str, Requirements],
        odds_of: Callable[[Offer], Odds],
        now: datetime,
        barred: Callable[[Offer], Rejection | None] = lambda offer: None,
    ) -> None:
        self._want = want
        self.fell: Counter[str] = Counter()
        """How many offers fell on which rule, whatever the job."""
        self.admitted: list[Offer] = []
        self._odds: dict[int, Odds] = {}
        for offer in offers:
            fault = first_fault(offer, want[offer.provider]) or barred(offer)
            if fault is not None:
                self.fell[fault.rule] += 1
                continue
            odds = odds_of(offer)
            if odds.quarantine_until is not None and odds.quarantine_until > now:
                self.fell["quarantine"] += 1
                continue
            self.admitted.append(offer)
            self._odds[id(offer)] = odds
        self.admitted.sort(key=lambda o: (o.rate_eur_per_hour, o.provider, o.offer_id))
        self._done: list[Terms4] = []
        self._late: list[Terms4] = []
        self._costs: list[_Cost] = []
        self._traffic: dict[int, tuple[float, float]] = {}
        for at, offer in enumerate(self.admitted):
            odds = self._odds[id(offer)]
            done, late = _seconds(offer, odds)
            self._done.append(done)
            self._late.append(late)
            cost = _cost(offer, odds, done, at)
            if offer.tier != OWN_TIER and (offer.down_eur_per_gb or offer.up_eur_per_gb):
                fixed, per_gib = self._traffic[at] = _traffic(offer, odds)
                cost = _with_traffic(cost, fixed, per_gib, offer, odds)
            self._costs.append(cost)

    def place(self, load: Load, terms: Terms, *, firm: bool = False) -> Placement:
        """The best two offers for a job, no bids where only `firm` ones may be. Where none keeps its
        limits, the one that misses least says why: of those in time the one that needs least money,
        else the soonest."""
        few = self._cheapest(load, terms, firm, own=True) if terms.own_first else []
        few = few or self._cheapest(load, terms, firm) or self._nearest(load, terms, firm)
        placed = self._weighed(few, load, terms)
        if placed.chosen is not None or len(few) < 2:
            return placed
        # both are beyond a limit by less than the rounding of the sums
        every = [offer for offer in self.admitted if not (firm and offer.bid)]
        return self._weighed(every, load, terms)

    def _weighed(self, offers: list[Offer], load: Load, terms: Terms) -> Placement:
        def seen(offer: Offer) -> Outlook:
            return outlook(offer, load, self._odds[id(offer)])

        return place(offers, self._want, terms, seen)

    def _cheapest(self, load: Load, terms: Terms, firm: bool, *, own: bool = False) -> list[Offer]:
        """At most two that keep the limits; of equals those that cost least by the hour."""
        work, gib = load.seconds, load.download_gib
        both = work * gib
        limited = terms.due_at is not None or terms.left_eur is not None
        cost1 = cost2 = _UNKNOWN
        at1 = at2 = -1
        for one, per_work, per_gib, per_both, least, at in self._costs:
            cost = one + per_work * work + per_gib * gib + per_both * both
            if cost < least:
                cost = least
            if cost >= cost2 or (firm and self.admitted[at].bid):
                continue
            if own and self.admitted[at].tier != OWN_TIER:
                continue
            if limited and max(self._missing(at, load, terms)) > 0:
                continue
            if cost < cost1:
                cost1, at1, cost2, at2 = cost, at, cost1, at1
            else:
                cost2, at2 = cost, at
        return [self.admitted[at] for at in (at1, at2) if at >= 0]

    def _nearest(self, load: Load, terms: Terms, firm: bool) -> list[Offer]:
        """The one that misses least, if there is any."""
        places = [at for at, offer in enumerate(self.admitted) if not (firm and offer.bid)]
        nearest = min(places, key=lambda at: self._missing(at, load, terms), default=None)
        return [] if nearest is None else [self.admitted[nearest]]

    def _missing(self, at: int, load: Load, terms: Terms) -> tuple[float, float]:
        """Seconds by which an offer is late, once lost if it is a bid, and euros that it needs more
        than are left; what is not late is 0 s late."""
        finish, late = _at(self._done[at], load), 0.0
        if terms.due_at is not None:
            time = (terms.due_at - terms.now).total_seconds()
            late = max(0.0, finish - time, _at(self._late[at], load) - time)
        if terms.left_eur is None:
            return late, 0.0
        busy = finish * limits.FORECAST_MARGIN
        drain = min(limits.DRAIN_GRACE.total_seconds(), busy / 3)
        term = busy + drain + limits.ENDING.total_seconds()
        worst = float(self.admitted[at].rate_eur_per_hour) * term / 3600
        most = max(worst, float(self.admitted[at].minimum_eur))
        if at in self._traffic:
            fixed, per_gib = self._traffic[at]
            most += (fixed + per_gib * load.download_gib) * limits.TRAFFIC_MARGIN
        return late, most - float(terms.left_eur)


_UNKNOWN = float("inf")


def _seconds(offer: Offer, odds: Odds) -> tuple[Terms4, Terms4]:
    """Until the result, and what a deadline must leave: a bid the time to be lost once."""
    bare = replace(offer, cached_gib=0.0)
    empty, gib = outlook(bare, Load(0.0), odds), outlook(bare, Load(0.0, 1.0), odds)
    per_work, per_gib = 1 / odds.speed, gib.transfer_seconds
    lost = odds.losses_per_hour / 3600 * per_work
    boot, saved = empty.boot_seconds, per_gib * offer.cached_gib
    loss = empty.loss_seconds - saved
    done = (boot - saved, per_work + lost * loss, per_gib, lost * per_gib)
    late = (boot - saved + loss, per_work, 2 * per_gib, 0.0) if offer.bid else done
    return done, late


def _cost(offer: Offer, odds: Odds, done: Terms4, at: int) -> _Cost:
    rate, (one, work, gib, both) = float(offer.rate_eur_per_hour) / 3600, done
    release = outlook(offer, Load(0.0), odds).release_seconds
    least = float(offer.minimum_eur)
    return rate * (one + release), rate * work, rate * gib, rate * both, least, at


def _traffic(offer: Offer, odds: Odds) -> tuple[float, float]:
    """Euros for the traffic of one instance: of itself, and for each GiB that the job downloads."""
    down = float(offer.down_eur_per_gb) * GB_PER_GIB
    up = float(offer.up_eur_per_gb) * GB_PER_GIB
    return down * (odds.boot_gib - offer.cached_gib), down + up * limits.RESULTS_PER_DOWNLOAD


def _with_traffic(cost: _Cost, fixed: float, per_gib: float, offer: Offer, odds: Odds) -> _Cost:
    one, work, gib, both, least, at = cost
    down = float(offer.down_eur_per_gb) * GB_PER_GIB
    failed = (1 - odds.starts) / odds.starts
    lost = odds.losses_per_hour / 3600 / odds.speed
    one += fixed + down * failed * odds.boot_gib
    return one, work + lost * fixed, gib + per_gib, both + lost * down, least, at


def _at(terms: Terms4, load: Load) -> float:
    one, per_work, per_gib, per_both = terms
    work, gib = load.seconds, load.download_gib
    return one + per_work * work + per_gib * gib + per_both * work * gib
