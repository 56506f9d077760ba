"""What intake may take and the messages it answers with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leitstand.core import limits


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What a medium may be; the defaults are those of `core/limits.py`, settings override them."""

    segment_seconds: float = limits.SEGMENT_SECONDS
    segment_bytes_max: int = limits.SEGMENT_BYTES_MAX
    margin_seconds: float = limits.AUDIO_MARGIN_SECONDS
    pixels_max: int = limits.PIXELS_MAX
    seconds_max: float = limits.MEDIA_SECONDS_MAX
    metadata_bytes_max: int = limits.METADATA_BYTES_MAX

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> IntakeLimits:
        """Limits from a request; a name it does not know is a `TypeError`."""
        return dataclasses.replace(cls(), **document)


@dataclass(frozen=True, slots=True)
class Message:
    """One step of the answer: a JSON head and, for a segment, its file."""

    head: dict[str, Any]
    body: bytes = b""


def segment(
    stream: str, number: int, from_us: int, to_us: int, format: str, body: bytes
) -> Message:
    """The message that hands over one segment file."""
    return Message(
        {
            "type": "segment",
            "stream": stream,
            "number": number,
            "from_us": from_us,
            "to_us": to_us,
            "format": format,
        },
        body,
    )


def gap(stream: str, from_us: int, to_us: int, reason: str) -> dict[str, Any]:
    """Media time that is promised and missing; `reason` is a catalogue code."""
    return {"stream": stream, "from_us": from_us, "to_us": to_us, "reason": reason}
