"""Proof that a cut loses and changes nothing: what the segments own decodes as the original did.

Media up to `limits.WHOLE_PROOF_SECONDS` are decoded twice from end to end, once from the original
container and once from the segment files, and compared by count and SHA-256 of every decoded frame
(its planes without row padding) and by time stamp. Longer ones are compared at their start and
around `limits.PROOF_JOINS` joins, the original having been decoded from at least two key frames
earlier.

Sound is compared sample by sample. Decoders that make noise of their own (AAC and AC-3 substitute
it for what was not coded) or predict without end never agree to the bit after a jump. Where bits
differ, the same number of samples with a difference below `DIFFERENCE_MAX`, or with the same course
of loudness within `LEVEL_DB_MAX`, is a proof, and its record says `exact: false`. The same goes for
what is damaged in the original itself: what a decoder puts over a hole depends on what it had seen
before, so there the times of frames, or the number of samples, must agree but for
`DAMAGED_SHARE_MAX`.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from leitstand.core import limits
from leitstand.media.cut import Border, Part, bodies
from leitstand.media.index import KEY, US, Clock, Index, nearest, packets
from leitstand.media.source import Source, open_container

WINDOW_US = 4 * US
"""On each side of a sampled join."""
DIFFERENCE_MAX = 0.05
"""Root mean square of the difference, as a share of the sound's own."""
DIFFERENCE_FLOOR = 1e-3
"""What the difference may be at least, as a share of full scale."""

DAMAGED_SHARE_MAX = 0.05
DAMAGED_FRAMES_MIN = 3
LEVEL_DB_MAX = 1.0
"""Mean difference of loudness between pieces of `LEVEL_SECONDS`."""
LEVEL_SECONDS = 0.1

Samples = npt.NDArray[Any]


class NothingDecoded(Exception):
    """The original yields no frame and no sample where it was looked at."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch to compare, and the packets of the original that must be decoded for it."""

    from_us: int
    to_us: int
    first: int
    stop: int


@dataclass(slots=True)
class Tally:
    """What was decoded inside one window, in order."""

    count: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    times: list[int] = field(default_factory=list)
    sound: list[Samples] = field(default_factory=list)
    damaged: bool = False
    """A packet did not decode, or a frame says that part of it is missing."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`holds` or not; `facts` is the record that goes with the medium."""

    holds: bool
    facts: dict[str, Any]


def windows(
    index: Index, clock: Clock, parts: Sequence[Part], places: Sequence[Border]
) -> list[Window]:
    """All of a short stream, or its start and the sampled joins of a long one."""
    begin, end = parts[0].from_us, parts[-1].to_us
    count = len(index.pts)
    if end - begin <= limits.WHOLE_PROOF_SECONDS * US:
        return [Window(begin, end, 0, count)]
    around = [_window(index, clock, places, begin, end, begin)]
    joins = [part.from_us for part in parts[1:]]
    last = len(joins) - 1
    chosen = {last * n // max(1, limits.PROOF_JOINS - 1) for n in range(limits.PROOF_JOINS)}
    around += [_window(index, clock, places, begin, end, joins[n]) for n in sorted(chosen) if joins]
    return around


def _window(
    index: Index, clock: Clock, places: Sequence[Border], begin: int, end: int, join: int
) -> Window:
    from_us, to_us = max(begin, join - WINDOW_US), min(end, join + WINDOW_US)
    if index.is_video:
        before = bisect.bisect_right([place.us for place in places], from_us) - 2
        after = bisect.bisect_left([place.us for place in places], to_us)
        first = places[before].position if before >= 0 else 0
        stop = places[after].tail if after < len(places) else len(index.pts)
        return Window(from_us, to_us, first, stop)
    margin = round(limits.AUDIO_MARGIN_SECONDS * US)
    low, high = clock.from_us(from_us - 2 * margin), clock.from_us(to_us + US)
    first = bisect.bisect_left(index.pts, low, key=clock.exact)
    stop = bisect.bisect_right(index.pts, high, key=clock.exact)
    while first and not index.flags[min(first, len(index.flags) - 1)] & KEY:
        first -= 1
    return Window(from_us, to_us, first, max(stop, first + 1))


def prove(
    source: Source,
    format: str,
    index: Index,
    clock: Clock,
    parts: Sequence[Part],
    places: Sequence[Border] = (),
) -> Verdict:
    """Compares the segments of `parts` with the original. Raises `NothingDecoded`, and
    `matroska.CannotStore` where a segment file cannot be written at all."""
    wanted = windows(index, clock, parts, places)
    originals = [Tally() for _ in wanted]
    for window, tally in zip(wanted, originals, strict=True):
        _count(_original(source, format, index, window, tally), index, clock, window, tally)
    if not any(tally.count for tally in originals):
        raise NothingDecoded
    copies = [Tally() for _ in wanted]
    needed = [
        part
        for part in parts
        if any(part.from_us < window.to_us and part.to_us > window.from_us for window in wanted)
    ]
    for part, body in bodies(source, format, index, clock, needed):
        for window, tally in zip(wanted, copies, strict=True):
            owned = Window(
                max(part.from_us, window.from_us), min(part.to_us, window.to_us), 0, part.stop
            )
            if owned.from_us < owned.to_us:
                _count(_segment(body, owned, index, tally), index, None, owned, tally)
    return _compare(index, originals, copies, len(wanted), len(parts) - 1)


def _compare(
    index: Index, originals: Sequence[Tally], copies: Sequence[Tally], places: int, joins: int
) -> Verdict:
    pairs = list(zip(originals, copies, strict=True))
    same = all(a.count == b.count and a.digest.digest() == b.digest.digest() for a, b in pairs)
    unit = "frames" if index.is_video else "samples"
    facts: dict[str, Any] = {
        unit: sum(tally.count for tally in originals),
        "sha256": hashlib.sha256(
            b"".join(tally.digest.digest() for tally in originals)
        ).hexdigest(),
        "exact": same,
        "windows": places,
        "joins": joins,
    }
    if index.is_video:
        if same and all(a.times == b.times for a, b in pairs):
            return Verdict(True, facts)
        facts["exact"] = False
        return Verdict(all(_damaged_alike(a, b) for a, b in pairs), facts)
    if same:
        return Verdict(True, facts)
    differences = [_difference(a, b, index.rate) for a, b in pairs]
    facts["difference"] = round(max(differences), 6) if max(differences) < 1e9 else None
    alike = (
        gap <= 1.0 or _damaged_alike(*pair) for gap, pair in zip(differences, pairs, strict=True)
    )
    return Verdict(all(alike), facts)


def _damaged_alike(original: Tally, copy: Tally) -> bool:
    """Equal, or damaged in the original and with nearly the same frames or samples."""
    if original.times == copy.times and original.digest.digest() == copy.digest.digest():
        return True
    others = len(set(original.times) ^ set(copy.times)) or abs(original.count - copy.count)
    return original.damaged and others <= max(
        DAMAGED_FRAMES_MIN, DAMAGED_SHARE_MAX * original.count
    )


def _difference(a: Tally, b: Tally, rate: int) -> float:
    """How far two pieces of sound are apart, 1.0 being as far as they may."""
    try:
        one, two = (
            np.concatenate(a.sound or [np.zeros((0, 1))]),
            np.concatenate(b.sound or [np.zeros((0, 1))]),
        )
    except ValueError:
        return float("inf")
    if one.shape != two.shape:
        return float("inf")
    if not one.size:
        return 0.0
    full = float(np.iinfo(one.dtype).max) if one.dtype.kind in "iu" else 1.0
    one, two = one.astype(np.float64) / full, two.astype(np.float64) / full
    gap, level = _loudness(one - two), _loudness(one)
    by_sample = gap / max(DIFFERENCE_MAX * level, DIFFERENCE_FLOOR)
    return float(min(by_sample, _course(one, two, rate) / LEVEL_DB_MAX))


def _loudness(sound: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def _course(one: Samples, two: Samples, rate: int) -> float:
    """Mean difference in decibels between the levels of short pieces; silence counts as silence."""
    size = max(1, round(LEVEL_SECONDS * rate))
    starts = np.arange(0, len(one), size)
    power = [np.add.reduceat(np.square(sound).mean(axis=1), starts) / size for sound in (one, two)]
    decibels = [10 * np.log10(values + DIFFERENCE_FLOOR**2) for values in power]
    return float(np.mean(np.abs(decibels[0] - decibels[1])))


def _original(
    source: Source, format: str, index: Index, window: Window, tally: Tally
) -> Iterator[Any]:
    """Decoded frames of the original, in the order they are shown."""
    with open_container(source, format) as container:
        stream = container.streams[index.stream]
        _calm(stream)
        for position, packet in enumerate(packets(container, stream)):
            if position >= window.stop:
                break
            if position >= window.first:
                yield from _decoded(stream, packet, tally)
        yield from _decoded(stream, None, tally)


def _segment(body: bytes, window: Window, index: Index, tally: Tally) -> Iterator[Any]:
    with open_container(Source.of(body), "matroska") as container:
        stream = container.streams[0]
        _calm(stream)
        enough = window.to_us * 1000 // index.tick_ns
        for packet in packets(container, stream):
            for frame in _decoded(stream, packet, tally):
                if index.is_video and frame.pts is not None and frame.pts > enough:
                    return
                yield frame
        yield from _decoded(stream, None, tally)


def _calm(stream: Any) -> None:
    """One thread: the same bytes give the same pictures, damaged ones too."""
    stream.codec_context.thread_count = 1


def _decoded(stream: Any, packet: Any, tally: Tally) -> list[Any]:
    try:
        return list(stream.codec_context.decode(packet))
    except (av.error.FFmpegError, ValueError):
        tally.damaged = True
        return []


def _count(
    frames: Iterable[Any], index: Index, clock: Clock | None, window: Window, tally: Tally
) -> None:
    """Adds what lies in the window. `clock` is the original's; a segment is on its own ticks."""
    for frame in frames:
        if frame.pts is None:
            tally.times.append(-1)
            continue
        if index.is_video:
            tick = frame.pts if clock is None else clock.ticks(clock.exact(frame.pts))
            time_us = (
                frame.pts * index.tick_ns / 1000
                if clock is None
                else clock.floor_us(clock.exact(frame.pts))
            )
            if window.from_us <= time_us < window.to_us:
                tally.count += 1
                tally.times.append(tick)
                tally.damaged = tally.damaged or bool(frame.is_corrupt)
                _hash_picture(frame, tally.digest)
        else:
            _hear(frame, index, clock, window, tally)


def _hear(frame: Any, index: Index, clock: Clock | None, window: Window, tally: Tally) -> None:
    rate = frame.sample_rate or index.rate
    if clock is None:
        start = nearest(frame.pts * index.tick_ns * rate, 1_000_000_000)
    else:
        start = nearest(clock.exact(frame.pts) * rate, clock.unit)
    low = -(-window.from_us * rate // US) - start
    high = -(-window.to_us * rate // US) - start
    if low >= frame.samples or high <= 0:
        return
    sound = frame.to_ndarray()
    channels = len(frame.layout.channels)
    sound = sound.T if frame.format.is_planar else sound.reshape(-1, channels)
    sound = np.ascontiguousarray(sound[max(0, low) : max(0, high)])
    tally.count += len(sound)
    tally.digest.update(sound.tobytes())
    tally.sound.append(sound)


def _hash_picture(frame: Any, digest: Any) -> None:
    """Feeds the picture's planes, row padding left out."""
    digest.update(f"{frame.format.name} {frame.width}x{frame.height} ".encode())
    components = frame.format.components
    for number, plane in enumerate(frame.planes):
        if len(frame.planes) == 1:
            bits = frame.format.padded_bits_per_pixel * plane.width
        else:
            bits = sum(8 * -(-c.bits // 8) * c.width for c in components if c.plane == number)
        row, stride = (bits + 7) // 8, abs(plane.line_size)
        data = np.frombuffer(plane, np.uint8)
        if not 0 < row < stride:
            digest.update(data)
            continue
        digest.update(
            np.ascontiguousarray(data[: stride * plane.height].reshape(-1, stride)[:, :row])
        )
