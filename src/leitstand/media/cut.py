"""Where a stream is cut, and the segment files of that cut.

A segment owns `[from_us, to_us)` of the medium's clock; its file holds more, so that every owned
frame and sample decodes as it did in the original: video goes on to the next key frame inclusive
and to the last packet shown before it (open groups of pictures), audio has a margin on both sides.
Planning is arithmetic over an index of packets and decodes nothing. A border is put where neither
the exact time of a frame nor its rounded time stamp in the file can fall on the wrong side.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leitstand.core import limits
from leitstand.media import matroska
from leitstand.media.index import (
    HIDDEN,
    KEY,
    US,
    Clock,
    Index,
    end_us,
    nearest,
    packets,
)
from leitstand.media.source import Source, open_container

SEGMENT_OVERHEAD_BYTES = 64 * 1024
PACKET_OVERHEAD_BYTES = 32
AUDIO_REST_SECONDS = 1.0
"""A last piece shorter than this joins the segment before it."""


class TooLarge(Exception):
    """A stretch that cannot be divided is above the size limit of a segment."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


@dataclass(frozen=True, slots=True)
class Border:
    """A place where video may be cut: before packet `position`, a key frame."""

    position: int
    us: int
    tail: int
    """Where the file of the segment before ends: after the last packet shown before this border."""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One segment: its interval and its packets `[first, stop)`; from `own_stop` on, for decoding only."""

    number: int
    from_us: int
    to_us: int
    first: int
    own_stop: int
    stop: int


def borders(index: Index, clock: Clock) -> list[Border]:
    """Every place where the video may be cut, in order."""
    count = len(index.pts)
    keys = [n for n in range(1, count) if index.flags[n] & KEY]
    if not keys:
        return []
    groups = list(zip(keys, [*keys[1:], count], strict=True))
    shown = [
        None if flags & HIDDEN else clock.exact(pts)
        for pts, flags in zip(index.pts, index.flags, strict=True)
    ]
    later = _least_after(groups, shown)
    found = []
    before_all = max((t for t in shown[: keys[0]] if t is not None), default=None)
    for (start, stop), least in zip(groups, later, strict=True):
        border = _border(start, shown[start:stop], before_all, clock)
        if border is not None and (least is None or clock.from_us(border.us) <= least):
            found.append(border)
        group = [t for t in shown[start:stop] if t is not None]
        before_all = max(group if before_all is None else [*group, before_all], default=None)
    return found


def _border(
    start: int, group: Sequence[int | None], before_all: int | None, clock: Clock
) -> Border | None:
    """The border at the key frame `start`, if the frames around it can be told apart."""
    if before_all is None:
        return None
    key = group[0]
    forced = key is None
    if key is None:
        key = min((t for t in group if t is not None and t > before_all), default=None)
        if key is None:
            return None
    leading = [n for n, t in enumerate(group) if n and t is not None and t < key]
    before = max([before_all, *(group[n] or 0 for n in leading)])
    us = clock.floor_us(min(key, clock.ticks(key) * clock.tick))
    if clock.from_us(us) <= max(before, clock.ticks(before) * clock.tick):
        return None
    tail = start if forced else start + max(leading, default=0) + 1
    return Border(start, us, tail, forced)


def _least_after(
    groups: Sequence[tuple[int, int]], shown: Sequence[int | None]
) -> list[int | None]:
    """For each group the earliest time shown in any later one."""
    least: int | None = None
    out: list[int | None] = []
    for start, stop in reversed(groups):
        out.append(least)
        times = [t for t in shown[start:stop] if t is not None]
        if times:
            least = min(times) if least is None else min(least, *times)
    return out[::-1]


def plan_video(
    index: Index,
    clock: Clock,
    places: Sequence[Border],
    *,
    seconds: float = limits.SEGMENT_SECONDS,
    bytes_max: int = limits.SEGMENT_BYTES_MAX,
) -> list[Part]:
    """Segments of about `seconds`, none above `bytes_max`. Raises `TooLarge`."""
    count = len(index.pts)
    total = _running_sizes(index)
    first_exact = clock.exact(index.first_shown_pts() or 0)
    start = clock.floor_us(min(first_exact, clock.ticks(first_exact) * clock.tick))
    ends = [*places, Border(count, end_us(index, clock), count)]
    parts: list[Part] = []
    first, at = 0, 0
    while at < len(ends):
        chosen = _next_end(ends, at, start + round(seconds * US), total, first, bytes_max)
        end = ends[chosen]
        parts.append(Part(len(parts), start, end.us, first, end.position, end.tail))
        first, start, at = end.position, end.us, chosen + 1
    return parts


def _next_end(
    ends: Sequence[Border], at: int, wanted_us: int, total: Sequence[int], first: int, most: int
) -> int:
    """The end nearest to the wanted time among those that fit."""
    chosen = None
    for candidate in range(at, len(ends)):
        end = ends[candidate]
        if total[end.tail] - total[first] + SEGMENT_OVERHEAD_BYTES > most:
            break
        if chosen is None or abs(end.us - wanted_us) <= abs(ends[chosen].us - wanted_us):
            chosen = candidate
        if end.us >= wanted_us or end.forced:
            break
    if chosen is None:
        raise TooLarge(total[ends[at].tail] - total[first])
    return chosen


def plan_audio(
    index: Index,
    clock: Clock,
    *,
    seconds: float = limits.SEGMENT_SECONDS,
    margin_seconds: float = limits.AUDIO_MARGIN_SECONDS,
    bytes_max: int = limits.SEGMENT_BYTES_MAX,
) -> list[Part]:
    """Segments of exactly `seconds` (the last one what is left), shorter where sound is so dense
    that margins and all would exceed `bytes_max`. Raises `TooLarge`."""
    starts = list(itertools.accumulate(map(clock.exact, index.pts), max))
    begin = clock.floor_us(clock.exact(index.first_shown_pts() or 0))
    end = max(end_us(index, clock), begin + 1)
    total = _running_sizes(index)
    while True:
        parts = list(_audio_parts(index, clock, starts, begin, end, seconds, margin_seconds))
        largest = max(total[part.stop] - total[part.first] for part in parts)
        if largest + SEGMENT_OVERHEAD_BYTES <= bytes_max:
            return parts
        if seconds <= AUDIO_REST_SECONDS:
            raise TooLarge(largest)
        seconds /= 2


def _audio_parts(
    index: Index,
    clock: Clock,
    starts: Sequence[int],
    begin: int,
    end: int,
    seconds: float,
    margin_seconds: float,
) -> Iterator[Part]:
    step, margin = round(seconds * US), round(margin_seconds * US)
    rest = min(round(AUDIO_REST_SECONDS * US), step // 2)
    froms = [begin + n * step for n in range(max(1, -(-(end - begin - rest) // step)))]
    for number, (from_us, to_us) in enumerate(zip(froms, [*froms[1:], end], strict=True)):
        first = max(0, bisect.bisect_right(starts, clock.from_us(from_us - margin)) - 1)
        while first and not index.flags[first] & KEY:
            first -= 1
        stop = len(starts)
        if to_us != end:
            stop = bisect.bisect_left(starts, clock.from_us(to_us + margin))
        yield Part(number, from_us, to_us, 0 if number == 0 else first, stop, stop)


def whole(index: Index, clock: Clock, *, bytes_max: int = limits.SEGMENT_BYTES_MAX) -> list[Part]:
    """The uncut stream as one segment. Raises `TooLarge`."""
    size = _running_sizes(index)[-1]
    if size + SEGMENT_OVERHEAD_BYTES > bytes_max:
        raise TooLarge(size)
    return (
        plan_video(index, clock, [], bytes_max=bytes_max)
        if index.is_video
        else plan_audio(index, clock, seconds=limits.MEDIA_SECONDS_MAX, bytes_max=bytes_max)
    )


def _running_sizes(index: Index) -> list[int]:
    return [0, *itertools.accumulate(size + PACKET_OVERHEAD_BYTES for size in index.sizes)]


def _tick(index: Index, clock: Clock, position: int) -> int:
    """When a packet is shown. The first of a sound with priming lies exactly its hidden samples
    before the first one heard, which coarse container clocks cannot say."""
    if position == 0 and index.hidden:
        heard = clock.ticks(clock.exact(index.first_shown_pts() or 0))
        return heard - nearest(index.hidden * matroska.NS, index.rate * index.tick_ns)
    return clock.ticks(clock.exact(index.pts[position]))


def bodies(
    source: Source, format: str, index: Index, clock: Clock, parts: Sequence[Part]
) -> Iterator[tuple[Part, bytes]]:
    """Segment files in order, in one pass over the bytes. Raises `matroska.CannotStore`."""
    with open_container(source, format) as container:
        stream = container.streams[index.stream]
        waiting, open_parts = list(parts), list[tuple[Part, list[matroska.Timed]]]()
        for position, packet in enumerate(packets(container, stream)):
            if position >= len(index.pts) or not (waiting or open_parts):
                break
            while waiting and waiting[0].first <= position:
                open_parts.append((waiting.pop(0), []))
            timed = matroska.Timed(_tick(index, clock, position), packet)
            for part, held in open_parts:
                hidden = index.flags[position] & HIDDEN and position >= part.own_stop
                if position < part.stop and not hidden:
                    held.append(timed)
            while open_parts and position >= open_parts[0][0].stop - 1:
                part, held = open_parts.pop(0)
                yield part, matroska.write(stream, held, index.tick_ns)
        for part, held in open_parts:
            yield part, matroska.write(stream, held, index.tick_ns)
