"""The course of one medium as geometry: persons, tracks, speech and gaps over one time axis.

Only numbers and classes come out; the template turns them into SVG with geometry attributes, so
that the page needs no inline style.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from leitstand.core.facts import MediumFacts, Span, Track

LEFT = 108.0
RIGHT = 806.0
TRACKS_MAX = 12
"""Lanes drawn; the table of evidence holds all tracks."""
TICKS_MAX = 8
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_LANE = 13.0
_PERSONS = 44.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a lane."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One track: its bars, and the dotted links over its absences."""

    number: int
    y: float
    picked: bool
    bars: tuple[Bar, ...]
    links: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A gap with the words beside it."""

    x: float
    width: float
    text_x: float
    anchor: str
    seconds: float
    reason: str
    labelled: bool


@dataclass(slots=True)
class Timeline:
    """Everything to draw; absent parts have no rows."""

    height: float = 0.0
    ticks: list[tuple[float, float]] = field(default_factory=list)
    """(x, seconds)"""
    tick_digits: int = 0
    persons_y: float | None = None
    persons_base: float = 0.0
    persons_high: int = 0
    curve: str = ""
    area: str = ""
    lanes: list[Lane] = field(default_factory=list)
    tracks_of: int = 0
    speech_y: float | None = None
    speech: list[Bar] = field(default_factory=list)
    holes_y: float | None = None
    holes: list[Mark] = field(default_factory=list)


def timeline(facts: MediumFacts, picked: set[int], named: set[int]) -> Timeline | None:
    """The course of a medium, with the tracks that sentences name among those drawn.

    None for an image, or where nothing lies in time.
    """
    people = [track for track in facts.tracks if track.label == "person"]
    ends = [track.to_us for track in facts.tracks] + [speech.to_us for speech in facts.speech]
    length = max([facts.duration_us or 0, *ends])
    if "image" in facts.looked or not facts.looked or length <= 0:
        return None
    out = Timeline(tracks_of=len(people))
    scale = (RIGHT - LEFT) / length

    def x(time_us: int) -> float:
        return round(LEFT + min(max(time_us, 0), length) * scale, 2)

    def bar(span: Span, least: float = 1.5) -> Bar:
        return Bar(x(span[0]), round(max(x(span[1]) - x(span[0]), least), 2))

    _ticks(out, length, x)
    y = 26.0
    if facts.count is not None:
        out.persons_y, out.persons_base = y, y + _PERSONS
        out.persons_high = facts.count.high
        _curve(out, facts, x)
        y += _PERSONS + 10
    for track in _drawn(people, named):
        spans = track.spans
        links = [(a[1], b[0]) for a, b in pairwise(spans)]
        out.lanes.append(
            Lane(
                number=track.number,
                y=y,
                picked=track.number in picked,
                bars=tuple(bar(span) for span in spans),
                links=tuple(bar(link, 0.0) for link in links),
            )
        )
        y += _LANE
    if out.lanes:
        y += 4
    if facts.speech:
        out.speech_y = y
        out.speech = [bar((speech.from_us, speech.to_us)) for speech in facts.speech]
        y += 20
    if facts.holes:
        out.holes_y = y
        _holes(out, facts, bar)
        y += 20
    out.height = y + 4
    return out


def _ticks(out: Timeline, length_us: int, x: Callable[[int], float]) -> None:
    seconds = length_us / 1e6
    step = next((s for s in _STEPS_S if seconds / s <= TICKS_MAX), seconds)
    out.tick_digits = 1 if step < 1 else 0
    for index in range(int(seconds / step) + 1):
        at = index * step
        if at <= seconds:
            out.ticks.append((x(round(at * 1e6)), at))


def _curve(out: Timeline, facts: MediumFacts, x: Callable[[int], float]) -> None:
    assert facts.count is not None and out.persons_y is not None
    high = max(facts.count.high, 1)
    points = [
        (x(at), round(out.persons_base - mean / high * (_PERSONS - 4), 2))
        for at, mean in facts.count.curve
    ]
    if len(points) == 1:
        points.append((RIGHT, points[0][1]))
    out.curve = " ".join(f"{px},{py}" for px, py in points)
    base = out.persons_base
    out.area = f"{points[0][0]},{base} {out.curve} {points[-1][0]},{base}"


def _drawn(people: Sequence[Track], named: set[int]) -> list[Track]:
    """Named tracks and the longest ones, in the order of their numbers."""
    ordered = sorted(
        people, key=lambda t: (t.number not in named, -(t.to_us - t.from_us), t.number)
    )
    return sorted(ordered[:TRACKS_MAX], key=lambda track: track.number)


def _holes(out: Timeline, facts: MediumFacts, bar: Callable[[Span, float], Bar]) -> None:
    last_end = LEFT - 1
    for hole in facts.holes:
        drawn = bar((hole.from_us, hole.to_us), 8.0)
        end = drawn.x + drawn.width
        late = end > RIGHT - 190
        labelled = drawn.x > last_end and not (late and out.holes)
        out.holes.append(
            Mark(
                x=drawn.x,
                width=drawn.width,
                text_x=round(drawn.x - 8 if late else end + 8, 2),
                anchor="end" if late else "start",
                seconds=(hole.to_us - hole.from_us) / 1e6,
                reason=hole.reason,
                labelled=labelled,
            )
        )
        if labelled:
            last_end = end + 200
