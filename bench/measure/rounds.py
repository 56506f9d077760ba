"""Rounds in the order A B B A with a floor on either side, and what is left of them.

A round is void when the machine was not ours, or another one at its end than at its beginning:
somebody else took more than `MOVED_MAX` of its cores, or the floor moved by more than that.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from leitstand.host.facts import cores

ROUNDS_MIN = 5
MOVED_MAX = 0.20
RESULTS = Path(__file__).parent.parent / "results"

Figures = Mapping[str, float]
Side = Callable[[], Figures]


@dataclass(frozen=True, slots=True)
class Look:
    """The machine at one moment: figures of the floor, and the share of the cores others took."""

    floor: Figures
    others: float


@dataclass(frozen=True, slots=True)
class Round:
    """Two figures of every side, and the machine before and after."""

    before: Look
    after: Look
    sides: Mapping[str, Sequence[Figures]] = field(default_factory=dict)

    @property
    def void(self) -> str | None:
        """Why this round does not count; None if it does."""
        if max(self.before.others, self.after.others) > MOVED_MAX:
            return "load"
        for name, low in self.before.floor.items():
            high = self.after.floor[name]
            if max(low, high) > (1 + MOVED_MAX) * min(low, high):
                return f"floor: {name}"
        return None

    def floor(self, name: str) -> float:
        """Mean of the two looks."""
        return (self.before.floor[name] + self.after.floor[name]) / 2

    def of(self, side: str, figure: str) -> float:
        """Mean of the two figures of a side."""
        return statistics.fmean(each[figure] for each in self.sides[side])


def play(floor: Side, sides: Mapping[str, Side], *, seconds: float) -> list[Round]:
    """Rounds until `ROUNDS_MIN` of them count or `seconds` are over; at least one."""
    end = time.monotonic() + seconds
    rounds: list[Round] = []
    longest = 0.0
    while sum(each.void is None for each in rounds) < ROUNDS_MIN:
        started = time.monotonic()
        if rounds and started + longest > end:
            break
        before = _look(floor)
        seen: dict[str, list[Figures]] = {name: [] for name in sides}
        for name in (*sides, *reversed(list(sides))):
            seen[name].append(sides[name]())
        rounds.append(Round(before, _look(floor), seen))
        longest = max(longest, time.monotonic() - started)
    return rounds


def counted(rounds: Sequence[Round]) -> list[Round]:
    """The rounds that are not void; all of them where none counts, which `summary` says."""
    return [each for each in rounds if each.void is None] or list(rounds)


def summary(rounds: Sequence[Round]) -> str:
    """How many rounds there were and how busy others kept the machine."""
    good = sum(each.void is None for each in rounds)
    load = [look.others for each in rounds for look in (each.before, each.after)]
    text = f"{good} of {len(rounds)} rounds count"
    if not good:
        text += " (none does: the figures are of void rounds, and no record)"
    return f"{text}; others took {min(load):.0%} to {max(load):.0%} of the machine"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of some ratios."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f})"


def write(name: str, rounds: Sequence[Round], **more: Any) -> Path:
    """The raw file of a bench, `results/<name>.json`: machine, versions, every round."""
    document = {
        "bench": name,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        **more,
        "rounds": [
            {
                "void": each.void,
                "before": {"floor": _rounded(each.before.floor), "others": each.before.others},
                "after": {"floor": _rounded(each.after.floor), "others": each.after.others},
                "sides": {
                    side: [_rounded(figures) for figures in seen]
                    for side, seen in each.sides.items()
                },
            }
            for each in rounds
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = ("onnxruntime", "av", "numpy", "opencv-python-headless")
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cpu": model,
        "cores": cores(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _look(floor: Side) -> Look:
    """The floor, and what others did while it ran: busy time of the machine minus our own."""
    started, busy, own = time.monotonic(), _busy_seconds(), _own_seconds()
    figures = floor()
    elapsed = (time.monotonic() - started) * (os.cpu_count() or 1)
    others = (_busy_seconds() - busy - (_own_seconds() - own)) / elapsed
    return Look(figures, round(min(1.0, max(0.0, others)), 3))


def _busy_seconds() -> float:
    """CPU time of the whole machine that was not idle, `/proc/stat` (proc(5))."""
    first = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = map(int, first)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: float(f"{value:.5g}") for name, value in figures.items()}
