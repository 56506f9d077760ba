"""When a step is called."""

from __future__ import annotations

import threading
from datetime import timedelta

from leitstand.clockwork import StepLoop

NEVER = 3600.0
PATIENCE = 60.0


def test_a_step_that_wants_to_be_called_again_soon_is() -> None:
    called: list[int] = []
    again = threading.Event()

    def step() -> timedelta | None:
        called.append(len(called))
        if len(called) < 3:
            return timedelta(0)
        again.set()
        return None

    loop = StepLoop("test", step, every=NEVER, pace=0.0)
    loop.start()
    assert again.wait(PATIENCE)
    loop.stop()
    assert called == [0, 1, 2]


def test_a_kick_calls_a_step_that_wants_nothing() -> None:
    called = threading.Semaphore(0)
    loop = StepLoop("test", called.release, every=NEVER, pace=0.0)
    loop.start()
    assert called.acquire(timeout=PATIENCE)
    loop.kick()
    assert called.acquire(timeout=PATIENCE)
    loop.stop()
