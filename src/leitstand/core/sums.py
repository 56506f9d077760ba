"""What an offer costs and when it is done, as sums in the work and the downloads of a job.

Each is a sum of four terms: 1, work, downloads, and both together (a loss repeats the downloads). What
lies on a volume of an offer is never more than a job downloads (`Offer.cached_gib`). Every sum grows
with its factors, so the least factors of several offers bound what each of them comes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from leitstand.core import limits
from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.outlook import Load, Odds, outlook
from leitstand.core.placement import GB_PER_GIB, Terms

Factors = tuple[float, float, float, float]
"""Of 1, work, downloads, and both."""
UNLIMITED = float("inf")
_DRAIN, _ENDING = limits.DRAIN_GRACE.total_seconds(), limits.ENDING.total_seconds()


class Sums(NamedTuple):
    """Of one offer, or the least of several."""

    cost: Factors
    done: Factors
    """Until the result."""
    lost: Factors
    """What a deadline must leave: a bid the time to be lost once."""
    busy: Factors
    """What the time until the result costs."""
    rest: Factors
    """What an instance costs in a second, at the least, in traffic, and in traffic for each GiB that
    the job downloads."""


class Asked(NamedTuple):
    """A job's work and downloads, and the seconds and euros that are left for it."""

    work: float
    gib: float
    both: float
    seconds: float
    eur: float

    @classmethod
    def of(cls, load: Load, terms: Terms) -> Asked:
        due_at, left = terms.due_at, terms.left_eur
        seconds = UNLIMITED if due_at is None else (due_at - terms.now).total_seconds()
        eur = UNLIMITED if left is None else float(left)
        return cls(load.seconds, load.download_gib, load.seconds * load.download_gib, seconds, eur)


def sums_of(offer: Offer, odds: Odds) -> Sums:
    """The factors of one offer."""
    bare = replace(offer, cached_gib=0.0) if offer.cached_gib else offer
    empty, gib = outlook(bare, _NOTHING, odds), outlook(bare, _ONE_GIB, odds)
    per_work, per_gib = 1 / odds.speed, gib.transfer_seconds
    lost = odds.losses_per_hour / 3600 * per_work
    saved = per_gib * offer.cached_gib
    boot, loss = empty.boot_seconds - saved, empty.loss_seconds - saved
    done = (boot, per_work + lost * loss, per_gib, lost * per_gib)
    after_loss = (boot + loss, per_work, 2 * per_gib, 0.0) if offer.bid else done
    rate = float(offer.rate_eur_per_hour) / 3600
    busy = (rate * boot, rate * done[1], rate * per_gib, rate * done[3])
    cost = (rate * (boot + empty.release_seconds), *busy[1:])
    sums = Sums(cost, done, after_loss, busy, (rate, float(offer.minimum_eur), 0.0, 0.0))
    if offer.tier == OWN_TIER or not (offer.down_eur_per_gb or offer.up_eur_per_gb):
        return sums
    return _with_traffic(sums, offer, odds)


_NOTHING, _ONE_GIB = Load(0.0), Load(0.0, 1.0)


def _with_traffic(sums: Sums, offer: Offer, odds: Odds) -> Sums:
    down = float(offer.down_eur_per_gb) * GB_PER_GIB
    up = float(offer.up_eur_per_gb) * GB_PER_GIB
    fixed = down * (odds.boot_gib - offer.cached_gib)
    per_gib = down + up * limits.RESULTS_PER_DOWNLOAD
    failed = (1 - odds.starts) / odds.starts
    lost = odds.losses_per_hour / 3600 / odds.speed
    one, work, gib, both = sums.cost
    one += fixed + down * failed * odds.boot_gib
    cost = (one, work + lost * fixed, gib + per_gib, both + lost * down)
    return sums._replace(cost=cost, rest=(*sums.rest[:2], fixed, per_gib))


def missing(sums: Sums, asked: Asked) -> tuple[float, float]:
    """Seconds by which an offer is late, once lost if it is a bid, and euros that it needs more than
    are left; what is not late is 0 s late."""
    finish, after_loss, paid = totals((sums.done, sums.lost, sums.busy), asked)
    rate, least, fixed, per_gib = sums.rest
    drain = min(_DRAIN, finish * limits.FORECAST_MARGIN / 3)
    worst = max(paid * limits.FORECAST_MARGIN + rate * (drain + _ENDING), least)
    traffic = (fixed + per_gib * asked.gib) * limits.TRAFFIC_MARGIN
    late = max(0.0, finish - asked.seconds, after_loss - asked.seconds)
    return late, worst + traffic - asked.eur


def totals(sums: Iterable[Factors], asked: Asked) -> list[float]:
    """What each sum comes to for a job."""
    work, gib, both, *_ = asked
    return [
        one + per_work * work + per_gib * gib + per_both * both
        for one, per_work, per_gib, per_both in sums
    ]


class Block(NamedTuple):
    """Offers alike in cost, by their places in a list; their costs, and the least of their sums."""

    places: Sequence[int]
    costs: Sequence[Factors]
    least: Sums


def blocks_of(places: Iterable[int], sums: Sequence[Sums]) -> list[Block]:
    """These places in blocks: cut by what an offer costs for work, then by what it costs for none."""
    by_work = sorted(places, key=lambda n: sums[n].cost[1])
    found = []
    for band in _cut(by_work, _BAND):
        for block in _cut(sorted(band, key=lambda n: sums[n].cost[0]), _BLOCK):
            rows = [sums[n] for n in block]
            least = Sums(*map(_least, zip(*rows, strict=True)))
            found.append(Block(block, [row.cost for row in rows], least))
    return found


_BLOCK, _BAND = 32, 512


def _cut(places: Sequence[int], length: int) -> list[Sequence[int]]:
    return [places[start : start + length] for start in range(0, len(places), length)]


def _least(column: Iterable[Factors]) -> Factors:
    one, work, gib, both = map(min, zip(*column, strict=True))
    return one, work, gib, both
