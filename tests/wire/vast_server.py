"""The simulated Vast.ai on a loopback port, for clients that speak HTTP."""

from __future__ import annotations

from typing import Any

from tests.wire.clock import Clock
from tests.wire.server import Served
from tests.wire.vast import Vast


class ServedVast(Served):
    """`with ServedVast(clock) as served:` answers at `served.url` until the block ends."""

    sim: Vast

    def __init__(self, clock: Clock, **simulator: Any) -> None:
        super().__init__(clock, Vast(clock, **simulator))
