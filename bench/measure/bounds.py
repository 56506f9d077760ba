"""What no pipeline can beat on a CPU, as functions of numbers alone."""

from __future__ import annotations

from dataclasses import dataclass


class BoundBroken(Exception):
    """A figure above its bound: the bench measured the two on different work, and is wrong."""


@dataclass(frozen=True, slots=True)
class CpuBound:
    """Frames per second that `cores` could reach if they did nothing but decode and infer, all the
    time: CPU seconds per frame of each, measured alone."""

    cores: int
    decode: float
    infer: float

    @property
    def frames_per_second(self) -> float:
        """Raises ValueError where a part took no time or there is no core."""
        if self.cores < 1 or self.decode <= 0 or self.infer <= 0:
            raise ValueError("a bound needs cores and measured parts")
        return self.cores / (self.decode + self.infer)


def ratio(frames_per_second: float, bound: CpuBound) -> float:
    """The share of the bound that was reached. Raises `BoundBroken` above 1.00."""
    share = frames_per_second / bound.frames_per_second
    if round(share, 2) > 1.0:
        raise BoundBroken(f"{share:.3f} of the bound: this bench is broken")
    return share
