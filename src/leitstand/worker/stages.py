"""Where the time of an attempt went, by stage: fetch, load, decode, infer, write."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Stage:
    seconds: float = 0.0
    inside: int = 0
    since: float = 0.0


class Stages:
    """Seconds by stage in which at least one thread was in it, so that no stage is longer than the
    attempt. Safe to use from several threads; nested stages count the time in both."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stages: dict[str, _Stage] = {}

    @contextlib.contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Adds the time until the block ends, however it ends."""
        with self._lock:
            found = self._stages.setdefault(stage, _Stage())
            if not found.inside:
                found.since = self._clock()
            found.inside += 1
        try:
            yield
        finally:
            with self._lock:
                found.inside -= 1
                if not found.inside:
                    found.seconds += self._clock() - found.since

    def seconds(self, since: Mapping[str, float] | None = None) -> dict[str, float]:
        """Seconds by stage, minus those of an earlier look; a stage still under way counts when it
        ends."""
        before = since or {}
        with self._lock:
            return {
                name: round(stage.seconds - before.get(name, 0.0), 3)
                for name, stage in self._stages.items()
            }
