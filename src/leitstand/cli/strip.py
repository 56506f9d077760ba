"""The segment strip: one cell per segment, because a checkpoint is a segment."""

from __future__ import annotations

from dataclasses import dataclass

CELLS_MAX = 24
DONE, OPEN, GAP = "▰", "▱", "▨"


@dataclass(slots=True)
class Counted:
    """Segments of a medium or of the whole job, and the last beats."""

    done: int = 0
    total: int = 0
    gap: int = 0
    units_per_s: float | None = None
    cost_eur: str = "0.00"


def strip(done: int, total: int, gap: int = 0, cells_max: int = CELLS_MAX) -> str:
    """`▰▰▰▱▱`: done, then gaps, then to do. Above `cells_max` segments a cell stands for several;
    it counts as done when all of its segments are, and any gap keeps one cell."""
    if total <= 0:
        return ""
    if total <= cells_max:
        cells, full, holes = total, done, gap
    else:
        cells = cells_max
        full = done * cells // total
        holes = max(1, gap * cells // total) if gap else 0
        full = min(full, cells - holes)
    return DONE * full + GAP * holes + OPEN * max(0, cells - full - holes)


def percent(done: int, total: int, gap: int = 0) -> int:
    """Whole percent of segments that are settled, rounded down: 100 only when all are."""
    return 100 if total <= 0 else min(100, (done + gap) * 100 // total)
