"""Where the time of an attempt went, by stage: fetch, load, decode, infer, write."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping


class Stages:
    """Seconds by stage. Used by one slot; measuring nested stages counts the time in both."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Adds the time until the block ends, however it ends."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + time.monotonic() - started

    def seconds(self, since: Mapping[str, float] | None = None) -> dict[str, float]:
        """Seconds by stage, minus those of an earlier look."""
        before = since or {}
        return {
            stage: round(total - before.get(stage, 0.0), 3)
            for stage, total in self._seconds.items()
        }
