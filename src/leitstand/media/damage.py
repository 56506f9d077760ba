"""Keeps book of the media time that damaged bytes cost."""

from __future__ import annotations

STRETCHES_MAX = 1000


class Damage:
    """Stretches without a good frame, from the place of an error to the next good frame."""

    def __init__(self) -> None:
        self.errors = 0
        self._since: int | None = None
        self._last = 0
        self._stretches: list[tuple[int, int]] = []

    def hit(self, at_us: int | None) -> None:
        """An error at the packet of `at_us`, or after the last good frame where that is unknown."""
        self.errors += 1
        at = self._last if at_us is None else at_us
        self._since = at if self._since is None else min(self._since, at)

    def good(self, time_us: int, end_us: int | None = None) -> None:
        """A frame that is whole, shown at `time_us`. Frames of before the damage may come late."""
        if self._since is not None and time_us >= self._since:
            self._add(self._since, time_us)
            self._since = None
        self._last = max(self._last, time_us if end_us is None else end_us)

    def end(self, to_us: int) -> None:
        """Nothing more comes."""
        if self._since is not None:
            self._add(self._since, max(to_us, self._since))
            self._since = None

    def gaps(self, from_us: int, to_us: int, reason: str) -> list[tuple[int, int, str]]:
        """What is missing inside [from, to), in order, without overlaps."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted(self._stretches):
            low, high = max(low, from_us), min(high, to_us)
            if low >= high:
                continue
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return [(low, high, reason) for low, high in merged]

    def _add(self, low: int, high: int) -> None:
        if len(self._stretches) >= STRETCHES_MAX:  # one long stretch rather than an endless list
            last = self._stretches.pop()
            low, high = min(low, last[0]), max(high, last[1])
        self._stretches.append((low, high))
