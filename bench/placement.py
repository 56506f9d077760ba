"""Jobs placed per second on large markets, against a greedy that looks at prices alone.

- ours: `core.board`, as the reconciler uses it: the first two offers, their expected and worst cost,
  and how many fell on which rule. The market is prepared anew each time, and that counts.
- the floor: a greedy in plain Python. Offers are sorted by price within each GPU class; a job walks
  every class to the first offer that may and can, and takes the cheapest of these by price × time.
  It knows no odds and gives no reasons. On the larger market it places some of the jobs, and their
  time stands for that of all.
- the filtered floor, which has no goal: the same greedy, but the offers are filtered once for each
  need, as ours are, so that a job has only the cheapest of each class to look at.
- the exhaustive search: `core.placement.place` over every offer, for some of the jobs. Ours may
  cost 1.001 times as much at most, for each of them.

Prices are those of the recorded market (data/offers: all snapshots, GPU by GPU, provider by
provider); hosts, places, disks, lines and odds are drawn with a seed. A fifth of the jobs has a
deadline of half to 4 times what a middling offer needs, a fifth has so much money left; for some no
offer does. Jobs do not take offers from one another. Nothing waits here, so times are CPU times.
"""

# ruff: noqa: E402 - the folder of the repository must be on the module path first

from __future__ import annotations

import csv
import gzip
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent)

from bench.measure.rounds import Figures, Spread, counted, play, summary, write

from leitstand.core.board import Board
from leitstand.core.filters import first_fault
from leitstand.core.offer import Offer, Requirements
from leitstand.core.outlook import Load, Odds, outlook
from leitstand.core.placement import Placement, Terms, place

NOW = datetime(2025, 11, 1, tzinfo=UTC)
JOBS = 10_000
SIZES = (10_000, 100_000)
CHECKED = {10_000: 200, 100_000: 25}
"""Jobs compared with the exhaustive search, by offers."""
GREEDY = {10_000: 10_000, 100_000: 500}
"""Jobs that the floor places."""
SECONDS = 240.0
DATA = Path(os.environ.get("LEITSTAND_DATA", Path(__file__).parents[2] / "shared" / "data"))
SPEEDS = {"A100": 12.0, "H100": 20.0, "H200": 22.0, "B200": 30.0}
VRAM = {"A100": 80.0, "H100": 80.0, "H200": 141.0, "B200": 180.0}
SMALL = (
    ("RTX A4000", 16.0, 4.0, 0.10),
    ("RTX A5000", 24.0, 6.0, 0.14),
    ("RTX 4090", 24.0, 9.0, 0.22),
)
"""GPUs that the recording lacks: name, VRAM, speed, price as a share of the dearest one's row."""
REGIONS = ("DE", "FR", "NL", "SE", "US", "US", "CA")


@dataclass(frozen=True, slots=True)
class Job:
    """What a job needs, by provider, and its work."""

    want: Mapping[str, Requirements]
    load: Load
    terms: Terms


def prices() -> list[tuple[str, str, float, float]]:
    """GPU, provider, least and mean euro-like price of every row of the recorded market."""
    path = next((DATA / "offers").glob("market_by_provider_*.csv.gz"), None)
    if path is None:
        raise SystemExit(f"no recorded market in {DATA}; set LEITSTAND_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return [
            (
                row["gpu"],
                row["provider"][:16],
                float(row["min_usd_per_gpu_h"]),
                float(row["avg_usd_per_gpu_h"]),
            )
            for row in csv.DictReader(stream)
        ]


def market(size: int, dice: random.Random) -> tuple[list[Offer], list[Odds]]:
    """So many offers and what is believed of them."""
    rows, offers, odds = prices(), [], []
    for number in range(size):
        gpu, provider, least, mean = dice.choice(rows)
        family = next((name for name in SPEEDS if gpu.startswith(name)), "A100")
        vram, speed, share = VRAM[family], SPEEDS[family], 1.0
        if dice.random() < 0.6:
            gpu, vram, speed, share = dice.choice(SMALL)
        price = share * dice.triangular(least, max(mean, least) * 1.5 + 1e-6, least)
        bid = dice.random() < 0.3
        offers.append(
            Offer(
                provider=provider,
                offer_id=f"o{number}",
                accelerator="nvidia",
                gpu=gpu,
                gpus=1,
                vram_gib=vram,
                cuda=dice.choice(("11.6", "12.4", "12.8")),
                compute_capability="8.0",
                driver=dice.choice(("470.82.01", "550.54", "570.86", None)),
                cores=8,
                ram_gib=dice.choice((16.0, 32.0, 64.0)),
                disk_gib=dice.choice((50.0, 150.0, 500.0)),
                down_mbit_per_s=dice.choice((80.0, None))
                if dice.random() < 0.2
                else dice.uniform(100, 5_000),
                tier=dice.choice("ABBCCD"),
                region=dice.choice(REGIONS),
                host=f"h{number}",
                price_eur_per_hour=Decimal(f"{price * (0.5 if bid else 1.0):.6f}"),
                bid=bid,
                reliability=dice.choice((None, 0.85, 0.95, 0.99)),
            )
        )
        odds.append(
            Odds(
                starts=dice.betavariate(18, 2),
                ready_seconds=dice.uniform(60, 900),
                losses_per_hour=dice.expovariate(10 if bid else 100),
                speed=speed * dice.uniform(0.85, 1.05),
            )
        )
    return offers, odds


def jobs(providers: Sequence[str], dice: random.Random) -> list[Job]:
    """Jobs of three modalities and three data classes."""
    wants = [
        dict.fromkeys(
            providers,
            Requirements(
                vram_gib=vram,
                disk_gib=100.0,
                ram_gib=8.0,
                down_mbit_per_s=100.0,
                tier_min=tier,
                regions=("DE", "FR", "NL", "SE"),
                reliability_min=0.9,
                end_by=NOW + timedelta(hours=24),
                price_max_eur_per_hour=Decimal(5),
            ),
        )
        for vram in (8.0, 16.0, 24.0)
        for tier in "ABC"
    ]
    found = []
    for _ in range(JOBS):
        load = Load(dice.lognormvariate(9, 1.5), dice.lognormvariate(1, 1))
        due = left = None
        if dice.random() < 0.2:
            due = NOW + timedelta(seconds=dice.uniform(0.5, 4.0) * (500 + load.seconds / 9))
        if dice.random() < 0.2:
            left = Decimal(f"{dice.lognormvariate(-1, 1):.6f}")
        found.append(Job(dice.choice(wants), load, Terms(NOW, due, left)))
    return found


class Bench:
    """One market and the jobs on it."""

    def __init__(self, size: int) -> None:
        dice = random.Random(size)
        self.offers, odds = market(size, dice)
        self.odds = {offer.offer_id: one for offer, one in zip(self.offers, odds, strict=True)}
        self.jobs = jobs(sorted({offer.provider for offer in self.offers}), dice)
        self.placed: list[Placement] = []

    def ours(self) -> Figures:
        """Jobs per second, the market's preparation included."""
        started = time.process_time()
        boards: dict[int, Board] = {}
        self.placed = []
        for job in self.jobs:
            board = boards.get(id(job.want))
            if board is None:
                board = boards[id(job.want)] = Board(self.offers, job.want, self._believed, NOW)
            self.placed.append(board.place(job.load, job.terms))
        elapsed = time.process_time() - started
        for board in boards.values():
            if board.fell.total() + len(board.admitted) != len(self.offers):
                raise AssertionError("an offer is neither admitted nor counted by a rule")
        return {"jobs_per_s": JOBS / elapsed}

    def _believed(self, offer: Offer) -> Odds:
        return self.odds[offer.offer_id]

    def floor(self) -> Figures:
        """Jobs per second of the greedy."""
        started = time.process_time()
        classes = _classes(self.offers)
        sorted_in = time.process_time() - started
        some = self.jobs[:: JOBS // GREEDY[len(self.offers)]]
        started = time.process_time()
        for job in some:
            _greedy(classes, job, _admits(job.want))
        each = (time.process_time() - started) / len(some)
        return {"jobs_per_s": JOBS / (sorted_in + each * JOBS)}

    def filtered(self) -> Figures:
        """The same, with the offers filtered once for each need."""
        started = time.process_time()
        needs: dict[int, _Classes] = {}
        for job in self.jobs:
            classes = needs.get(id(job.want))
            if classes is None:
                found = _classes(list(filter(_admits(job.want), self.offers)))
                classes = needs[id(job.want)] = found
            _greedy(classes, job, lambda _: True)
        return {"jobs_per_s": JOBS / (time.process_time() - started)}

    def worst(self) -> float:
        """The greatest cost of ours against an exhaustive search, over some of the jobs."""
        step, worst = len(self.jobs) // CHECKED[len(self.offers)], 0.0
        for job, ours in list(zip(self.jobs, self.placed, strict=True))[::step]:
            load = job.load
            found = place(
                self.offers, job.want, job.terms, lambda o, w=load: outlook(o, w, self._believed(o))
            )
            if (found.chosen is None) != (ours.chosen is None):
                raise AssertionError("ours and the exhaustive search do not both find an offer")
            if found.chosen is not None and ours.chosen is not None:
                ratio = float(ours.chosen.expected_eur / found.chosen.expected_eur)
                worst = max(worst, ratio)
        return worst


@cache
def _speed(gpu: str) -> float:
    small = {name: speed for name, _, speed, _ in SMALL}
    return small.get(gpu) or next((s for n, s in SPEEDS.items() if gpu.startswith(n)), 12.0)


def _admits(want: Mapping[str, Requirements]) -> Callable[[Offer], bool]:
    return lambda offer: first_fault(offer, want[offer.provider]) is None


_Classes = dict[str, list[tuple[float, Offer]]]
"""Prices and offers by GPU, cheapest first."""


def _classes(offers: Sequence[Offer]) -> _Classes:
    classes: _Classes = {}
    for offer in offers:
        classes.setdefault(offer.gpu or "", []).append((float(offer.price_eur_per_hour), offer))
    for members in classes.values():
        members.sort(key=lambda pair: pair[0])
    return classes


def _greedy(classes: _Classes, job: Job, may: Callable[[Offer], bool]) -> Offer | None:
    best, cheapest = None, float("inf")
    time_left = None if job.terms.due_at is None else (job.terms.due_at - NOW).total_seconds()
    for gpu, members in classes.items():
        seconds = 300.0 + job.load.seconds / _speed(gpu)
        if time_left is not None and seconds > time_left:
            continue
        for price, offer in members:
            if price * seconds >= cheapest:
                break
            if may(offer):
                best, cheapest = offer, price * seconds
                break
    return best


def main() -> None:
    """Measure both sizes, print the ratios, write the raw files."""
    for size in SIZES:
        bench = Bench(size)
        bench.ours()
        sides = {"ours": bench.ours, "filtered": bench.filtered}
        rounds = play(bench.floor, sides, seconds=SECONDS)
        good = counted(rounds)
        ratio = Spread.of([r.of("ours", "jobs_per_s") / r.floor("jobs_per_s") for r in good])
        filtered = Spread.of(
            [r.of("ours", "jobs_per_s") / r.of("filtered", "jobs_per_s") for r in good]
        )
        worst = bench.worst()
        print(f"{size:>7,} offers x {JOBS:,} jobs: {ratio} x the greedy floor")
        print(f"        {filtered} x the same, filtered once for each need")
        print(f"        cost against the exhaustive search, at most: {worst:.6f}")
        print(f"        {summary(rounds)}")
        ratios = {"ratio": str(ratio), "ratio_filtered": str(filtered)}
        print(write(f"placement-{size}", rounds, **ratios, cost_at_most=worst))


if __name__ == "__main__":
    main()
