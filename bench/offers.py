"""How long a person waits for the offers of all providers: `control.market` over the real adapters.

The accounts are simulated ones on loopback ports, each of whose answers takes `ROUND_TRIP` longer, as
over a line to another continent; this machine is a provider too. `first`: nothing is known yet.
`warm`: all answered before, their answers are past their time, and each is asked anew. `slow`: the
same while one of them takes far longer than anybody wants to wait. The floor is one bare request to
the slower account. The goal is a time: 1 s for all providers, once warm.
"""

# ruff: noqa: E402 - the folder of the repository must be on the module path first

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)

import httpx
from bench.measure.rounds import Figures, Spread, counted, play, summary, write
from tests.wire.clock import Clock
from tests.wire.runpod_server import ServedRunPod
from tests.wire.server import Raw
from tests.wire.vast_server import ServedVast

from leitstand.control.market import Market
from leitstand.core.placement import Requirements
from leitstand.providers import local
from leitstand.providers.runpod import RunPod
from leitstand.providers.vast import Vast

SECONDS = 60.0
ROUND_TRIP, SLOW = 0.15, 6.0
STALE = timedelta(minutes=2)
"""An answer so old is asked for again, and may still stand in."""
WANT = Requirements(disk_gib=100.0)


class Far:
    """A line on which every answer takes a while."""

    def __init__(self, served: Any) -> None:
        self.delay, self._inner = ROUND_TRIP, served.exchange
        served.exchange = self.exchange

    def exchange(self, *call: Any) -> tuple[str, Raw]:
        time.sleep(self.delay)
        told: tuple[str, Raw] = self._inner(*call)
        return told


@dataclass
class Bench:
    """Two accounts, and time that passes for adapters and market alone."""

    runpod: Any
    vast: Any
    folder: Path
    clock: Clock = field(default_factory=Clock)
    now: datetime = datetime(2026, 11, 24, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.far = {"runpod": Far(self.runpod), "vast": Far(self.vast)}

    def later(self) -> None:
        self.now += STALE
        for one in (self.clock, self.runpod.clock, self.vast.clock):
            one.forward(seconds=STALE.total_seconds())

    def market(self) -> Market:
        """A control plane that has just started."""
        found: dict[str, Any] = {"local": local.connect({})}
        for name, adapter, served in (
            ("runpod", RunPod, self.runpod),
            ("vast", Vast, self.vast),
        ):
            key = self.folder / f"{name}.key"
            key.touch(0o600)
            key.write_text(served.sim.key)
            told = {"key_file": str(key), "usd_eur": "0.92", "base_url": served.url}
            found[name] = adapter(told, None, self.clock.monotonic)
        return Market(found)

    def asked(self, market: Market, stale: bool = False) -> float:
        """Seconds until all offers are there."""
        self.later()
        began = time.perf_counter()
        answer = market.offers(WANT, None, self.now)
        seconds = time.perf_counter() - began
        assert {offer.provider for offer in answer.found} == {"local", "runpod", "vast"}
        assert answer.silent == {} and set(answer.aged) == ({"vast"} if stale else set())
        return seconds

    def first(self) -> Figures:
        return {"seconds": self.asked(self.market())}

    def warm(self) -> Figures:
        market = self.market()
        self.asked(market)
        return {"seconds": self.asked(market)}

    def slow(self) -> Figures:
        market = self.market()
        self.asked(market)
        self.far["vast"].delay = SLOW
        seconds = self.asked(market, stale=True)
        self.far["vast"].delay = ROUND_TRIP
        return {"seconds": seconds}

    def floor(self) -> Figures:
        self.later()
        began = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.vast.sim.key}"}
        reply = httpx.post(f"{self.vast.url}/api/v0/bundles/", headers=headers, json={"limit": 64})
        assert len(reply.json()["offers"]) == 64
        return {"seconds": time.perf_counter() - began}


def main() -> None:
    """Measure, print the times, write the raw file."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = Bench(
            stack.enter_context(ServedRunPod(Clock())),
            stack.enter_context(ServedVast(Clock())),
            folder,
        )
        sides: Mapping[str, Any] = {
            "first": bench.first,
            "warm": bench.warm,
            "slow": bench.slow,
        }
        rounds = play(bench.floor, sides, seconds=SECONDS)
    good = counted(rounds)
    times = {
        name: str(Spread.of([one["seconds"] for r in good for one in r.sides[name]]))
        for name in sides
    }
    for name, spread in times.items():
        print(f"{name:>6}: {spread} s")
    print(f"        {summary(rounds)}")
    print(write("offers", rounds, seconds=times))


if __name__ == "__main__":
    main()
