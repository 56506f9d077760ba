"""Codecs that Matroska knows only by their Windows names, and libavformat's muxer refuses.

Matroska wraps them (`V_MS/VFW/FOURCC`, `A_MS/ACM`). The muxer is given a codec whose packets it
passes through untouched, and the track's description is replaced afterwards. Only codecs whose
description follows from what is known of the stream are here; pictures must not be reordered,
because such tracks carry decoding times.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_CODEC_ID = 0x86
_CODEC_PRIVATE = 0x63A2
_AUDIO = 0xE1
_SAMPLING_FREQUENCY = b"\xb5\x88"
_CHANNELS = b"\x9f\x84"
_BIT_DEPTH = b"\x62\x64\x81"

_WAVE_TAGS = {"pcm_alaw": 6, "pcm_mulaw": 7}
_FOURCC = {
    "flv": b"FLV1",
    "h263": b"H263",
    "msmpeg4v1": b"MPG4",
    "msmpeg4v2": b"MP42",
    "vp6f": b"VP6F",
    "wmv1": b"WMV1",
    "wmv2": b"WMV2",
    "wmv3": b"WMV3",
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """What the muxer is told the stream is, and the elements that its track gets instead."""

    stand_in: str
    elements: Mapping[int, bytes]

    def add_to(self, output: Any, template: Any) -> Any:
        """Adds the stand-in stream to an output container."""
        context = template.codec_context
        if template.type == "video":
            return output.add_mux_stream(self.stand_in, width=context.width, height=context.height)
        return output.add_mux_stream(self.stand_in, rate=context.sample_rate)


def foreign(template: Any) -> Foreign | None:
    """How to store a stream that the muxer does not take; None for all others."""
    context = template.codec_context
    if context.name in _WAVE_TAGS:
        return Foreign("pcm_u8", _wave(context))
    if context.name in _FOURCC:
        return Foreign("mpeg4", _bitmap(context))
    return None


def _wave(context: Any) -> dict[int, bytes]:
    """WAVEFORMATEX of a telephone codec: one byte a sample and channel."""
    rate, channels = context.sample_rate, len(context.layout.channels)
    wave = struct.pack(
        "<HHIIHHH", _WAVE_TAGS[context.name], channels, rate, rate * channels, channels, 8, 0
    )
    audio = (
        _SAMPLING_FREQUENCY
        + struct.pack(">d", float(rate))
        + _CHANNELS
        + struct.pack(">I", channels)
        + _BIT_DEPTH
        + b"\x08"
    )
    return {_CODEC_ID: b"A_MS/ACM", _CODEC_PRIVATE: wave, _AUDIO: audio}


def _bitmap(context: Any) -> dict[int, bytes]:
    """BITMAPINFOHEADER and the codec's own header behind it."""
    extra = bytes(context.extradata or b"")
    header = struct.pack(
        "<IiiHH4sIiiII",
        40 + len(extra),
        context.width,
        context.height,
        1,
        24,
        _FOURCC[context.name],
        context.width * context.height * 3,
        0,
        0,
        0,
        0,
    )
    return {_CODEC_ID: b"V_MS/VFW/FOURCC", _CODEC_PRIVATE: header + extra}
