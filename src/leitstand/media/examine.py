"""The look at one medium, from its first byte to the last segment; runs in a sandboxed child.

`examine` is a generator of messages: one `head` with everything known, then one `segment` per file
of the cut. It opens nothing but the bytes it was given and needs constant memory: at
most the packets of one segment, its file and a few frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer

from leitstand.core import limits as core_limits
from leitstand.core.problem import Exit, Problem
from leitstand.media import cut, matroska, metadata, proof
from leitstand.media.answer import IntakeLimits, Message, gap, segment
from leitstand.media.channel import Channel, Refused
from leitstand.media.cut import Border, Part
from leitstand.media.identify import (
    Identified,
    declared_bytes,
    declared_seconds,
    identify,
)
from leitstand.media.index import (
    HIDDEN,
    PACKETS_MAX,
    US,
    Clock,
    Index,
    TooManyPackets,
    end_us,
    packets,
    read_index,
)
from leitstand.media.picture import examine_image
from leitstand.media.source import (
    Source,
    first_audio,
    first_video,
    open_container,
    start_of,
)

GAP_SECONDS_MIN = 0.2
"""What a truncated stream may miss without a gap: the rounding of durations in headers."""
COUNTED = ("flac", "tta")
"""Formats whose header counts the samples, without a length in bytes to hold the file against."""
COUNTED_SHARE_MIN = 0.98
_NOTHING = {"video": "no-frames", "audio": "no-sound"}
"""What a stream is called in which nothing decodes."""
_OTHER_NAMES = {"matroska": "webm"}
"""The same demuxer by another name: `matroska` means a file on the medium's clock."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How one stream is handed on. `original` is the demuxer where the file is handed on whole."""

    index: Index
    clock: Clock
    parts: list[Part]
    facts: dict[str, Any]
    original: str = ""


def examine(source: Source, limits: IntakeLimits) -> Iterator[Message]:
    """Messages about the medium. Raises `Problem` before the first one, or not at all."""
    found = identify(source)
    if found.kind == "image":
        yield from examine_image(source, found, limits)
    else:
        yield from _media(source, found, limits)


def _media(source: Source, found: Identified, limits: IntakeLimits) -> Iterator[Message]:
    declared = declared_bytes(source, found.format)
    truncated = declared is not None and declared > source.size
    with _open_media(source, found, truncated=truncated) as container:
        technical, indexes, gaps, exif = _read(container, found, source, limits)
    if not indexes:
        code = "no-sound" if "video" not in technical else "no-frames"
        raise Problem("truncated-file" if truncated else code, Exit.USAGE, bytes=source.size)
    zero = min(shown for index in indexes if (shown := index.first_shown()) is not None)
    _check_length(indexes, zero, limits)
    cuts, refused = _cut_all(source, found.format, indexes, zero, limits)
    end = max(stream.parts[-1].to_us for stream in cuts)
    technical["duration_s"] = round(end / US, 3)
    gaps += refused + _missing(source, found.format, cuts, zero, truncated=truncated)
    kind = "video" if any(stream.index.is_video for stream in cuts) else "audio"
    yield Message(
        {
            "type": "head",
            "kind": kind,
            "mime": _mime(found.mime, kind),
            "technical": metadata.capped(technical, limits.metadata_bytes_max // 2),
            "exif": exif,
            "gaps": gaps,
            "proof": {stream.index.name: stream.facts for stream in cuts},
            "segments": sum(len(stream.parts) for stream in cuts),
        }
    )
    for stream in cuts:
        yield from _segments(source, found.format, stream)


def _open_media(source: Source, found: Identified, *, truncated: bool) -> InputContainer:
    try:
        return open_container(source, found.format)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if truncated:
            raise Problem("truncated-file", Exit.USAGE, bytes=source.size) from error
        raise Problem("unreadable-media", Exit.USAGE, format=found.label) from error


def _read(
    container: InputContainer, found: Identified, source: Source, limits: IntakeLimits
) -> tuple[dict[str, Any], list[Index], list[dict[str, Any]], dict[str, Any]]:
    """Technical facts, and the index of every stream that has something to show."""
    video, audio = first_video(container), first_audio(container)
    technical: dict[str, Any] = {"container": found.label, "bytes": source.size}
    tags = {name: str(value) for name, value in container.metadata.items()}
    exif = metadata.location(tags)
    if video is not None:
        width, height = video.codec_context.width or 0, video.codec_context.height or 0
        if width * height > limits.pixels_max:
            raise Problem(
                "too-many-pixels",
                Exit.USAGE,
                width=width,
                height=height,
                pixels_max=limits.pixels_max,
            )
    indexes: list[Index] = []
    gaps: list[dict[str, Any]] = []
    for name, stream in (("video:0", video), ("audio:0", audio)):
        if stream is None:
            continue
        index = _index(source, found.format, stream.index, name)
        kind = name.partition(":")[0]
        if kind == "video":
            technical[kind] = metadata.of_video(
                stream, _rotation(source, found.format, stream.index), _shown(index)
            )
        else:
            technical[kind] = metadata.of_audio(stream)
        if index.first_shown() is None:
            gaps.append(gap(name, 0, 0, _NOTHING[kind]))
        else:
            indexes.append(index)
    others = [
        metadata.of_other(stream) for stream in container.streams if stream not in (video, audio)
    ]
    if others:
        technical["not_analysed"] = others
    if tags:
        technical["tags"] = metadata.safe(tags)
    return technical, indexes, gaps if indexes else [], exif


def _index(source: Source, format: str, stream: int, name: str) -> Index:
    with open_container(source, format) as container:
        try:
            selected: Any = container.streams[stream]
            return read_index(container, selected, name)
        except TooManyPackets as error:
            raise Problem("too-many-packets", Exit.USAGE, packets_max=PACKETS_MAX) from error


def _rotation(source: Source, format: str, stream: int) -> int:
    """Degrees by which the first picture is turned for display, counter-clockwise."""
    with open_container(source, format) as container:
        selected = container.streams[stream]
        for packet in packets(container, selected):
            try:
                for frame in packet.decode():
                    return int(getattr(frame, "rotation", 0)) % 360
            except (av.error.FFmpegError, ValueError):
                continue
    return 0


def _shown(index: Index) -> int:
    return sum(not flags & HIDDEN for flags in index.flags)


def _check_length(indexes: list[Index], zero: Fraction, limits: IntakeLimits) -> None:
    seconds = max(end_us(index, Clock.of(index, zero)) for index in indexes) / US
    if seconds > limits.seconds_max:
        raise Problem(
            "too-long", Exit.USAGE, seconds=round(seconds), seconds_max=round(limits.seconds_max)
        )


def _cut_all(
    source: Source, format: str, indexes: list[Index], zero: Fraction, limits: IntakeLimits
) -> tuple[list[Cut], list[dict[str, Any]]]:
    """Every stream's proved cut; one that has none is a gap, and the last one's reason a problem."""
    cuts: list[Cut] = []
    gaps: list[dict[str, Any]] = []
    problem: Problem | None = None
    for index in indexes:
        clock = Clock.of(index, zero)
        try:
            cuts.append(_cut(source, format, index, clock, zero, limits))
        except Problem as error:
            problem = problem or error
            end = max(1, end_us(index, clock))
            gaps.append(gap(index.name, 0, end, error.code))
    if not cuts and problem is not None:
        raise problem
    return cuts, gaps


def _cut(
    source: Source, format: str, index: Index, clock: Clock, zero: Fraction, limits: IntakeLimits
) -> Cut:
    """The first of three ways that is proved: segments, the stream as one, the original file."""
    if index.placed:
        places = cut.borders(index, clock) if index.is_video else []
        plans: list[Callable[[], list[Part]]] = [lambda: _plan(index, clock, places, limits)]
        plans.append(lambda: cut.whole(index, clock, bytes_max=limits.segment_bytes_max))
        for plan in plans:
            try:
                parts = plan()
            except cut.TooLarge as error:
                raise _uncuttable(index, error.size, limits) from error
            verdict = _proved(source, format, index, clock, parts, places)
            if verdict is not None:
                return Cut(index, clock, parts, verdict)
    if source.size > limits.segment_bytes_max or not _own_clock_fits(source, format, zero):
        raise _uncuttable(index, source.size, limits)
    facts = {"exact": True, "windows": 0, "joins": 0}
    first = int(((index.first_shown() or zero) - zero) * US)
    count = len(index.pts)
    part = Part(0, first, max(first + 1, end_us(index, clock)), 0, count, count)
    return Cut(index, clock, [part], facts, _OTHER_NAMES.get(format, format))


def _plan(index: Index, clock: Clock, places: list[Border], limits: IntakeLimits) -> list[Part]:
    most = limits.segment_bytes_max
    if index.is_video:
        return cut.plan_video(index, clock, places, seconds=limits.segment_seconds, bytes_max=most)
    return cut.plan_audio(
        index,
        clock,
        seconds=limits.segment_seconds,
        margin_seconds=limits.margin_seconds,
        bytes_max=most,
    )


def _proved(
    source: Source,
    format: str,
    index: Index,
    clock: Clock,
    parts: list[Part],
    places: list[Border],
) -> dict[str, Any] | None:
    try:
        verdict = proof.prove(source, format, index, clock, parts, places)
    except proof.NothingDecoded as error:
        code = _NOTHING[index.name.partition(":")[0]]
        raise Problem(code, Exit.USAGE, bytes=source.size) from error
    except matroska.CannotStore:
        return None
    return verdict.facts if verdict.holds else None


def _uncuttable(index: Index, size: int, limits: IntakeLimits) -> Problem:
    return Problem(
        "cannot-be-cut",
        Exit.USAGE,
        stream=index.name,
        bytes=size,
        bytes_max=limits.segment_bytes_max,
    )


def _own_clock_fits(source: Source, format: str, zero: Fraction) -> bool:
    """Whether a decoder of the original arrives at the same time 0 by `start_of`."""
    with open_container(source, format) as container:
        return start_of(container) == zero


def _missing(
    source: Source, format: str, cuts: list[Cut], zero: Fraction, *, truncated: bool
) -> list[dict[str, Any]]:
    """What an index promises and the file no longer holds."""
    gaps = []
    with open_container(source, format) as container:
        for stream in cuts:
            own = container.streams[stream.index.stream]
            start = Fraction(own.start_time or 0) * stream.index.time_base - zero
            declared = declared_seconds(source, format, stream.index.stream)
            if declared is not None:
                promised = start + declared
            elif own.duration:
                promised = start + own.duration * stream.index.time_base
            else:
                promised = Fraction(container.duration or 0, US)
            end = stream.parts[-1].to_us
            promised_us = min(int(promised * US), int(core_limits.MEDIA_SECONDS_MAX * US))
            short = format in COUNTED and end < promised_us * COUNTED_SHARE_MIN
            if (truncated or short) and promised_us - end > GAP_SECONDS_MIN * US:
                gaps.append(gap(stream.index.name, end, promised_us, "truncated"))
    if truncated and not gaps:
        end = max(stream.parts[-1].to_us for stream in cuts)
        gaps.append(gap(cuts[0].index.name, end, end + 1, "truncated"))
    return gaps


def _segments(source: Source, format: str, stream: Cut) -> Iterator[Message]:
    if stream.original:
        part = stream.parts[0]
        body = source.read_at(0, source.size)
        yield segment(stream.index.name, 0, part.from_us, part.to_us, stream.original, body)
        return
    for part, body in cut.bodies(source, format, stream.index, stream.clock, stream.parts):
        yield segment(stream.index.name, part.number, part.from_us, part.to_us, "matroska", body)


def _mime(mime: str, kind: str) -> str:
    """The container's type with the kind that was found in it (an MP4 with sound alone)."""
    family, _, name = mime.partition("/")
    return f"{kind}/{name}" if family in ("video", "audio") else mime


def intake(request: Mapping[str, Any], descriptors: Sequence[int], channel: Channel) -> None:
    """The role of the child: one `head`, then every segment, over the channel."""
    source = Source(descriptors[0], int(request["size"]))
    try:
        for message in examine(source, IntakeLimits.of(request["limits"])):
            channel.send(message.head, message.body)
    except Problem as problem:
        raise Refused(problem.code, **problem.params) from None
