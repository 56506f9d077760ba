"""An index of one stream's packets, and exact arithmetic on the medium's clock.

The medium's clock is 0 at the earliest first time stamp of any analysed stream. Times are integers
in a unit that divides every time base involved, so nothing is ever rounded before it is compared.
"""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from leitstand.media import matroska
from leitstand.media.source import MediaStream

US = 1_000_000
VIDEO_TICK_NS = 10_000
AUDIO_TICK_NS = 1_000
"""Finer than one sample, so that positions in a segment are exact to the sample."""
PACKETS_MAX = 10_000_000
"""A day of 60 frames a second is half of it."""
READ_ERRORS_MAX = 100

KEY, HIDDEN, CORRUPT, RENEWED = 1, 2, 4, 8


class TooManyPackets(Exception):
    """The stream has more packets than `PACKETS_MAX`."""


@dataclass(slots=True)
class Index:
    """Every packet of one stream, in the order of the file. Times are in `time_base`."""

    name: str
    stream: int
    time_base: Fraction
    rate: int
    """Samples a second; 0 for video."""
    pts: array[int] = field(default_factory=lambda: array("q"))
    durations: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("l"))
    flags: bytearray = field(default_factory=bytearray)
    hidden: int = 0
    """Samples at the start that are decoded but not heard (encoder priming)."""
    placed: bool = True
    """Whether every packet says when it is shown."""
    complete: bool = True
    """False when reading stopped at an error."""

    @property
    def is_video(self) -> bool:
        return self.rate == 0

    @property
    def tick_ns(self) -> int:
        return VIDEO_TICK_NS if self.is_video else AUDIO_TICK_NS

    def first_shown(self) -> Fraction | None:
        """Seconds on the container's clock of the first picture or sample that is shown."""
        pts = self.first_shown_pts()
        return None if pts is None else pts * self.time_base

    def first_shown_pts(self) -> int | None:
        """The same in `time_base`, rounded as libavcodec rounds when it drops hidden samples."""
        if self.is_video:
            shown = (p for p, f in zip(self.pts, self.flags, strict=True) if not f & HIDDEN)
            return min(shown, default=None)
        if not self.pts:
            return None
        per_unit = self.time_base * self.rate
        return self.pts[0] + nearest(self.hidden * per_unit.denominator, per_unit.numerator)


def nearest(value: int, unit: int) -> int:
    """`value / unit`, rounded to the nearest integer, halves up."""
    return (2 * value + unit) // (2 * unit)


@dataclass(frozen=True, slots=True)
class Clock:
    """The medium's clock over one stream's time stamps, in exact integers of `1 / unit` seconds."""

    unit: int
    scale: int
    zero: int
    tick: int

    @classmethod
    def of(cls, index: Index, zero: Fraction) -> Clock:
        tick = Fraction(index.tick_ns, matroska.NS)
        unit = math.lcm(index.time_base.denominator, zero.denominator, tick.denominator, US)
        return cls(unit, int(index.time_base * unit), int(zero * unit), int(tick * unit))

    def exact(self, pts: int) -> int:
        return pts * self.scale - self.zero

    def ticks(self, exact: int) -> int:
        """The nearest tick: the time stamp in the segment file."""
        return nearest(exact, self.tick)

    def floor_us(self, exact: int) -> int:
        return exact * US // self.unit

    def ceil_us(self, exact: int) -> int:
        return -(-exact * US // self.unit)

    def from_us(self, us: int) -> int:
        return us * (self.unit // US)


def packets(
    container: InputContainer, stream: Any, broken: Callable[[], None] = lambda: None
) -> Iterator[Any]:
    """Packets with content, in file order; goes on after a damaged place, which `broken` is told
    of, and ends at a dead one."""
    errors, fruitless = 0, False
    while errors < READ_ERRORS_MAX and not fruitless:
        fruitless = True
        try:
            for packet in container.demux(stream):
                fruitless = False
                if packet.size:
                    yield packet
            return
        except IndexError:
            fruitless = False  # a packet of a stream that began after opening; PyAV knows no such
        except MemoryError:
            raise
        except (av.error.FFmpegError, OSError):
            broken()
            errors += 1


def read_index(container: InputContainer, stream: MediaStream, name: str) -> Index:
    """Reads a whole stream once and decodes nothing. Raises `TooManyPackets`."""
    rate = stream.codec_context.sample_rate if stream.type == "audio" else 0
    index = Index(name, stream.index, stream.time_base or Fraction(1, 1000), rate)
    guess = 0
    reordered = stream.type == "video" and bool(getattr(stream.codec_context, "has_b_frames", 0))
    for packet in packets(container, stream):
        if len(index.pts) >= PACKETS_MAX:
            raise TooManyPackets
        pts = packet.pts
        if pts is None:
            index.placed = index.placed and not reordered
            pts = guess if packet.dts is None else packet.dts
        duration = max(0, packet.duration or 0)
        guess = pts + duration
        index.pts.append(pts)
        index.durations.append(duration)
        index.sizes.append(packet.size)
        index.flags.append(
            KEY * packet.is_keyframe
            | HIDDEN * packet.is_discard
            | CORRUPT * packet.is_corrupt
            | RENEWED * packet.has_sidedata("new_extradata")
        )
        if rate and len(index.pts) == 1:
            index.hidden = _skipped(packet)
    if rate and not index.hidden:
        lead = itertools.takewhile(
            lambda pair: pair[1] & HIDDEN, zip(index.durations, index.flags, strict=True)
        )
        index.hidden = int(sum(duration for duration, _ in lead) * index.time_base * rate)
    return index


def _skipped(packet: Any) -> int:
    """Samples that the container tells the decoder to drop, counted from this packet on."""
    if not packet.has_sidedata("skip_samples"):
        return 0
    return int.from_bytes(bytes(packet.get_sidedata("skip_samples"))[:4], "little")


def end_us(index: Index, clock: Clock) -> int:
    """The first microsecond after everything shown."""
    last = max(
        (
            (clock.exact(pts + max(duration, 1)), clock.exact(pts))
            for pts, duration, flags in zip(index.pts, index.durations, index.flags, strict=True)
            if not flags & HIDDEN
        ),
        default=(0, 0),
    )
    rounded = (clock.ticks(last[1]) + 1) * clock.tick
    return clock.ceil_us(max(last[0], rounded if index.is_video else 0))
