"""The offers for one need, prepared for many jobs: filtered once, then a few sums for each job.

A job looks at sums in floating point (`core/sums.py`), at first at the least of each block of offers
and only then into the blocks that may hold the cheapest. It has only the cheapest two weighed by
`placement.place`, to the millionth and with every limit. So its choice is that of `place` over all
offers, but for the rounding of sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from leitstand.core.filters import Rejection, first_fault
from leitstand.core.offer import OWN_TIER, Offer, Requirements
from leitstand.core.outlook import Load, Odds, Outlook, outlook
from leitstand.core.placement import Placement, Terms, place
from leitstand.core.sums import UNLIMITED, Asked, Block, blocks_of, missing, sums_of, totals


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
        self._sums = [sums_of(offer, self._odds[id(offer)]) for offer in self.admitted]
        self._least_eur = [float(offer.minimum_eur) for offer in self.admitted]
        kinds: dict[tuple[bool, bool], list[int]] = {}
        for n, offer in enumerate(self.admitted):
            kinds.setdefault((offer.bid, offer.tier == OWN_TIER), []).append(n)
        self._blocks = {kind: blocks_of(places, self._sums) for kind, places in kinds.items()}

    def place(self, load: Load, terms: Terms, *, firm: bool = False) -> Placement:
        """The best two offers for a job, no bids where only `firm` ones may be. Where none keeps its
        limits, the one that misses least says why: of those in time the one that needs least money,
        else the soonest."""
        asked = Asked.of(load, terms)
        every = self._of_kind(firm=firm)
        few = self._cheapest(self._of_kind(firm=firm, own=True), asked) if terms.own_first else []
        few = few or self._cheapest(every, asked) or self._nearest(every, asked)
        placed = self._weighed(few, load, terms)
        if placed.chosen is not None or len(few) < 2:
            return placed
        # both are beyond a limit by less than the rounding of the sums
        each = [self.admitted[n] for block in every for n in block.places]
        return self._weighed(each, load, terms)

    def _of_kind(self, *, firm: bool, own: bool = False) -> list[Block]:
        """Without bids where only `firm` ones may be, without rented machines where only `own` ones."""
        found: list[Block] = []
        for (is_bid, is_own), blocks in self._blocks.items():
            if not (firm and is_bid) and (is_own or not own):
                found += blocks
        return found

    def _weighed(self, offers: list[Offer], load: Load, terms: Terms) -> Placement:
        def seen(offer: Offer) -> Outlook:
            return outlook(offer, load, self._odds[id(offer)])

        return place(offers, self._want, terms, seen)

    def _cheapest(self, blocks: list[Block], asked: Asked) -> list[Offer]:
        """At most two that keep the limits; of equals those that cost least by the hour."""
        limited = asked.seconds < UNLIMITED or asked.eur < UNLIMITED
        first = second = (UNLIMITED, -1)
        bounds = totals([block.least.cost for block in blocks], asked)
        for one in sorted(range(len(blocks)), key=bounds.__getitem__):
            if bounds[one] > second[0]:
                break
            if limited and max(missing(blocks[one].least, asked)) > 0:
                continue
            costs = totals(blocks[one].costs, asked)
            for n, cost in zip(blocks[one].places, costs, strict=True):
                if cost > second[0] or (limited and max(missing(self._sums[n], asked)) > 0):
                    continue
                charged = (max(cost, self._least_eur[n]), n)
                first, second, _ = sorted((first, second, charged))
        return [self.admitted[n] for _, n in (first, second) if n >= 0]

    def _nearest(self, blocks: list[Block], asked: Asked) -> list[Offer]:
        """The one that misses least, if there is any."""
        nearest, found = (UNLIMITED, UNLIMITED), -1
        bounds = [missing(block.least, asked) for block in blocks]
        for one in sorted(range(len(blocks)), key=bounds.__getitem__):
            if bounds[one] > nearest:
                break
            for n in blocks[one].places:
                nearest, found = min((nearest, found), (missing(self._sums[n], asked), n))
        return [] if found < 0 else [self.admitted[found]]
