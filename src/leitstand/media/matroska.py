"""One stream's packets as a Matroska file whose time stamps are exact and may begin before zero.

libavformat's muxer counts in milliseconds and cannot write what lies before time 0. Both are
settled in its header afterwards, with elements of RFC 9559: `TimestampScale` says that the
integers it wrote are a finer unit, and `CodecDelay` moves every time stamp back, so that pictures
and samples that an edit list or an encoder's priming hides come out before time 0, as they did in
the original. Random identifiers and seek tables are left out: the same packets give the same bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.packet import Packet

from leitstand.media.foreign import foreign

NS = 1_000_000_000
_MUXER_UNIT_NS = 1_000_000

_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067
_INFO = 0x1549A966
_TRACKS = 0x1654AE6B
_TAGS = 0x1254C367
_CLUSTER = 0x1F43B675
_TRACK_ENTRY = 0xAE
_CODEC_DELAY = 0x56AA
_TIMESTAMP_SCALE = 0x2AD7B1

_OPTIONS = {
    "avoid_negative_ts": "disabled",
    "fflags": "+bitexact",
    "write_crc32": "0",
    "cluster_time_limit": "30000",
    "cluster_size_limit": "1048576",
}


class CannotStore(Exception):
    """Matroska, or its muxer, does not take this stream."""


class Timed(NamedTuple):
    """A packet and the time its picture or sound is shown, in ticks on the medium's clock."""

    tick: int
    packet: Packet[Any]


class _Sink:
    """Write-only on purpose: without seeking the muxer writes no index and patches nothing."""

    def __init__(self) -> None:
        self.body = bytearray()

    def write(self, data: bytes) -> int:
        self.body += data
        return len(data)


def write(template: Any, packets: Sequence[Timed], tick_ns: int) -> bytes:
    """A Matroska file of `packets` (decode order) of the stream `template`.

    `tick_ns` is the length of a tick. A damaged packet that the muxer cannot read is left out.
    Raises `CannotStore`.
    """
    sink = _Sink()
    try:
        with av.open(sink, "w", format="matroska", options=dict(_OPTIONS)) as output:
            strange = foreign(template)
            stream = (
                strange.add_to(output, template)
                if strange
                else output.add_stream_from_template(template, opaque=True)
            )
            if template.codec_context.name == "aac" and not template.codec_context.extradata:
                stream.codec_context.extradata = _aac_config(packets)
            output.start_encoding()
            head_end, muxer_delay_ns = _codec_delay(bytes(sink.body))
            first = min((timed.tick for timed in packets), default=0)
            delay_ns = max(muxer_delay_ns, -first * tick_ns)
            moved = _nearest(delay_ns, tick_ns) - _nearest(muxer_delay_ns, _MUXER_UNIT_NS)
            stamps = [timed.tick + moved for timed in packets]
            ticks_per_unit = (template.time_base or Fraction(0)) * NS / tick_ns
            times, per = ticks_per_unit.numerator, ticks_per_unit.denominator
            for timed, stamp, dts in zip(packets, stamps, _decode_times(stamps), strict=True):
                packet = timed.packet
                duration = packet.duration or 0
                packet.stream = stream
                packet.time_base = Fraction(1, 1000)
                packet.pts, packet.dts = stamp, dts
                packet.duration = duration * times // per
                with contextlib.suppress(av.error.InvalidDataError):
                    output.mux_one(packet)
                packet.duration = duration
    except (av.error.FFmpegError, ValueError, OverflowError, OSError) as error:
        raise CannotStore(str(error)) from error
    track = dict(strange.elements) if strange else {}
    if delay_ns:
        track[_CODEC_DELAY] = _number(delay_ns)
    return _settle(bytes(sink.body[:head_end]), tick_ns, track) + bytes(sink.body[head_end:])


def _aac_config(packets: Sequence[Timed]) -> bytes:
    """AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) from the ADTS header of the first packet;
    transport streams carry no other."""
    head = bytes(packets[0].packet)[:4] if packets else b""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        raise CannotStore("AAC without configuration")
    profile, rate = head[2] >> 6, head[2] >> 2 & 15
    channels = (head[2] & 1) << 2 | head[3] >> 6
    if not channels:
        raise CannotStore("AAC with channels described in the sound itself")
    return ((profile + 1) << 11 | rate << 7 | channels << 3).to_bytes(2)


def _decode_times(stamps: Sequence[int]) -> list[int]:
    """Never after the picture itself and never backwards, whatever the original said."""
    times, least = [0] * len(stamps), None
    for position in range(len(stamps) - 1, -1, -1):
        least = stamps[position] if least is None else min(least, stamps[position])
        times[position] = least
    return times


def _codec_delay(head: bytes) -> tuple[int, int]:
    """Length of the header before the first cluster, and the delay the muxer itself wrote."""
    delay = 0
    for identity, body in _children(head):
        if identity == _TRACKS:
            entry = next(part for found, part in _elements(body) if found == _TRACK_ENTRY)
            delay = next(
                (int.from_bytes(part) for found, part in _elements(entry) if found == _CODEC_DELAY),
                0,
            )
    return len(head), delay


def _settle(head: bytes, tick_ns: int, track: dict[int, bytes]) -> bytes:
    """The header again with our unit and what `track` replaces, and nothing that points elsewhere."""
    first_id, first_body = next(_elements(head))
    kept = [_element(first_id, first_body), _SEGMENT.to_bytes(4) + b"\x01" + b"\xff" * 7]
    for identity, body in _children(head):
        if identity == _INFO:
            scale = {_TIMESTAMP_SCALE: _number(tick_ns)}
            kept.append(_element(identity, _replaced(body, scale)))
        elif identity == _TRACKS:
            entries = [
                _element(found, _replaced(part, track))
                for found, part in _elements(body)
                if found == _TRACK_ENTRY
            ]
            kept.append(_element(identity, b"".join(entries)))
    return b"".join(kept)


def _replaced(body: bytes, values: dict[int, bytes]) -> bytes:
    others = [(found, part) for found, part in _elements(body) if found not in values]
    return b"".join(_element(*pair) for pair in [*others, *values.items()])


def _children(head: bytes) -> Any:
    """Elements inside the segment, which the muxer leaves open-ended."""
    _, size, start = _read_head(head, 0)
    identity, _, start = _read_head(head, start + (size or 0))
    if identity != _SEGMENT:
        raise CannotStore("no segment")
    return _elements(head[start:])


def _elements(body: bytes) -> Any:
    at = 0
    while at < len(body):
        identity, size, start = _read_head(body, at)
        if identity == _CLUSTER:
            return
        at = len(body) if size is None else start + size
        yield identity, body[start:at]


def _read_head(body: bytes, at: int) -> tuple[int, int | None, int]:
    """Identity, size (None: unknown) and where the content starts (RFC 8794, section 4 to 6)."""
    length = 9 - body[at].bit_length()
    identity = int.from_bytes(body[at : at + length])
    at += length
    length = 9 - body[at].bit_length()
    mask = (1 << (7 * length)) - 1
    size = int.from_bytes(body[at : at + length]) & mask
    return identity, None if size == mask else size, at + length


def _element(identity: int, body: bytes) -> bytes:
    head = identity.to_bytes((identity.bit_length() + 7) // 8)
    return head + (1 << 56 | len(body)).to_bytes(8) + body


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8))


def _nearest(value: int, unit: int) -> int:
    return (2 * value + unit) // (2 * unit)
