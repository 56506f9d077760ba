"""The simulated RunPod on a loopback port, for clients that speak HTTP."""

from __future__ import annotations

from typing import Any

from tests.wire.clock import Clock
from tests.wire.runpod import RunPod
from tests.wire.server import Served


class ServedRunPod(Served):
    """`with ServedRunPod(clock) as served:` answers at `served.url` until the block ends."""

    sim: RunPod

    def __init__(self, clock: Clock, **simulator: Any) -> None:
        super().__init__(clock, RunPod(clock, **simulator))
