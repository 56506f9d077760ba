"""The offers for one need, prepared for many jobs: filtered once, then two sums for each job.

What an offer costs, and when it is done, are sums of four terms in the work and the downloads of a
job: 1, work, downloads, and both together (a loss repeats the downloads). A job looks at these sums
in floating point and has only the cheapest two weighed by `placement.place`, to the millionth and
with every limit. So its choice is that of `place` over all offers, but for the rounding of sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from leitstand.core import limits
from leitstand.core.filters import Rejection, first_fault
from leitstand.core.offer import OWN_TIER, Offer, Requirements
from leitstand.core.outlook import Load, Odds, Outlook, outlook
from leitstand.core.placement import Placement, Terms, place

Terms4 = tuple[float, float, float, float]
"""Factors of 1, work, downloads, and both."""


class Board:
    """What `odds_of` believes of the offers that pass every filter. `want` is by provider; `outside`
    is why no machine but an own one can be taken now."""

    def __init__(
        self,
        offers: Iterable[Offer],
        want: Mapping[str, Requirements],
        odds_of: Callable[[Offer], Odds],
        now: datetime,
        outside: Rejection | None = None,
    ) -> None:
        self._want = want
        self.fell: Counter[str] = Counter()
        """How many offers fell on which rule, whatever the job."""
        self.admitted: list[Offer] = []
        self._odds: dict[int, Odds] = {}
        for offer in offers:
            fault = first_fault(offer, want[offer.provider])
            if fault is None and offer.tier != OWN_TIER:
                fault = outside
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
        self._rows = [_row(offer, self._odds[id(offer)]) for offer in self.admitted]

    def place(self, load: Load, terms: Terms, *, firm: bool = False) -> Placement:
        """The best two offers for a job, no bids where only `firm` ones may be. Where none keeps its
        limits, every admitted offer is named with the limit that keeps it out."""
        few = self._cheapest(load, terms, firm)
        placed = self._weighed(few, load, terms)
        if placed.chosen is not None:
            return placed
        every = [offer for offer in self.admitted if not (firm and offer.bid)]
        return self._weighed(every, load, terms)

    def _weighed(self, offers: list[Offer], load: Load, terms: Terms) -> Placement:
        def seen(offer: Offer) -> Outlook:
            return outlook(offer, load, self._odds[id(offer)])

        return place(offers, self._want, terms, seen)

    def _cheapest(self, load: Load, terms: Terms, firm: bool) -> list[Offer]:
        """At most two; of equals those that cost least by the hour."""
        work, gib = load.seconds, load.download_gib
        both = work * gib
        limited = terms.due_at is not None or terms.left_eur is not None
        cost1 = cost2 = _UNKNOWN
        at1 = at2 = -1
        for at, ((one, per_work, per_gib, per_both), least, done, late) in enumerate(self._rows):
            cost = one + per_work * work + per_gib * gib + per_both * both
            if cost < least:
                cost = least
            if cost >= cost2 or (firm and self.admitted[at].bid):
                continue
            if limited and not self._keeps(self.admitted[at], done, late, load, terms):
                continue
            if cost < cost1:
                cost1, at1, cost2, at2 = cost, at, cost1, at1
            else:
                cost2, at2 = cost, at
        return [self.admitted[at] for at in (at1, at2) if at >= 0]

    def _keeps(self, offer: Offer, done: Terms4, late: Terms4, load: Load, terms: Terms) -> bool:
        """Whether an offer keeps the deadline, once lost if it is a bid, and fits in the money."""
        finish = _at(done, load)
        if terms.due_at is not None:
            time = (terms.due_at - terms.now).total_seconds()
            if finish > time or _at(late, load) > time:
                return False
        if terms.left_eur is None:
            return True
        busy = finish * limits.FORECAST_MARGIN
        drain = min(limits.DRAIN_GRACE.total_seconds(), busy / 3)
        term = busy + drain + limits.ENDING.total_seconds()
        worst = float(offer.rate_eur_per_hour) * term / 3600
        return max(worst, float(offer.minimum_eur)) <= float(terms.left_eur)


_UNKNOWN = float("inf")

_Row = tuple[Terms4, float, Terms4, Terms4]
"""Cost, the least charge, seconds to the result, and seconds that a deadline must leave."""


def _row(offer: Offer, odds: Odds) -> _Row:
    """An offer's sums. A deadline must leave a bid the time to be lost once."""
    empty, gib = outlook(offer, Load(0.0), odds), outlook(offer, Load(0.0, 1.0), odds)
    per_work, per_gib = 1 / odds.speed, gib.transfer_seconds
    lost = odds.losses_per_hour / 3600 * per_work
    boot = empty.boot_seconds
    done = (boot, per_work + lost * empty.loss_seconds, per_gib, lost * per_gib)
    late = (boot + empty.loss_seconds, per_work, 2 * per_gib, 0.0) if offer.bid else done
    rate, (one, work, transfer, both) = float(offer.rate_eur_per_hour) / 3600, done
    cost = (rate * (one + empty.release_seconds), rate * work, rate * transfer, rate * both)
    return cost, float(offer.minimum_eur), done, late


def _at(terms: Terms4, load: Load) -> float:
    one, per_work, per_gib, per_both = terms
    work, gib = load.seconds, load.download_gib
    return one + per_work * work + per_gib * gib + per_both * work * gib
