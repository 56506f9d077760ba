"""What a confined child does: turn one segment file into pictures or samples.

Runs after `sandbox.confine` and so may open nothing: its bytes come from the first descriptor, its
pictures go into the ring behind the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.container import InputContainer

from leitstand.core.limits import MIB
from leitstand.media import still
from leitstand.media.channel import Channel, ChannelError, Refused
from leitstand.media.damage import Damage
from leitstand.media.moving import Scaler, decoded, video_stream
from leitstand.media.ring import Ring
from leitstand.media.sound import Sound
from leitstand.media.source import Source, first_audio, open_container, start_of

if TYPE_CHECKING:
    from leitstand.ports import Rgb

IMAGE = "image"
PIECE_BYTES = MIB

Gaps = list[tuple[int, int, str]]


def decode_frames(
    request: Mapping[str, Any], descriptors: Sequence[int], channel: Channel
) -> dict[str, Gaps]:
    """Role: pictures of `[from_us, to_us)` into the ring, one message each; gaps at the end.

    Request: `format`, `size` of the file in bytes, `stream_index`, `side_max`, `slots`, `from_us`,
    `to_us`. Messages: `slot`, `time_us`, `width`, `height`, `scale`; answers: `free`, a slot that
    may be written again.
    """
    shelf = _Shelf(request, descriptors[1], channel)
    source = Source(descriptors[0], request["size"])
    from_us, to_us = request["from_us"], request["to_us"]
    if request["format"] == IMAGE:
        picture, long_side, whole = still.read(source, request["side_max"])
        shelf.put(0, picture, long_side / max(picture.shape[:2]))
        return {"gaps": [] if whole else [(from_us, to_us, "truncated")]}
    damage, scaler, count = Damage(), Scaler(request["side_max"]), 0
    with _opened(source, request["format"]) as container:
        stream = video_stream(container, request["stream_index"])
        for time_us, frame in decoded(container, stream, _zero(request, container), damage):
            count += 1
            damage.good(time_us)
            if from_us <= time_us < to_us:
                shelf.put(time_us, *scaler.rgb(frame))
    if not count:
        raise Refused("unreadable")
    damage.end(to_us)
    return {"gaps": damage.gaps(from_us, to_us, "unreadable")}


def decode_audio(
    request: Mapping[str, Any], descriptors: Sequence[int], channel: Channel
) -> dict[str, Any]:
    """Role: all sound of the first audio stream as bodies of float32; start and gaps at the end.

    Request: `format`, `size`.
    """
    damage = Damage()
    sound = Sound(damage)
    pending = bytearray()
    with _opened(Source(descriptors[0], request["size"]), request["format"]) as container:
        stream = first_audio(container)
        if stream is None:
            raise Refused("unreadable")
        zero = _zero(request, container)
        for time_us, frame in decoded(container, stream, zero, damage):
            for piece in sound.add(time_us, frame):
                pending += piece.tobytes()
                if len(pending) >= PIECE_BYTES:
                    channel.send({}, pending)
                    pending = bytearray()
    for piece in sound.end():
        pending += piece.tobytes()
    if sound.start_us is None:
        raise Refused("unreadable")
    channel.send({}, pending)
    end_us = sound.end_us
    damage.end(end_us)
    return {
        "start_us": sound.start_us,
        "gaps": damage.gaps(sound.start_us, end_us, "unreadable"),
    }


class _Shelf:
    """The ring as the child uses it: waits for a free slot, fills it, says so."""

    def __init__(self, request: Mapping[str, Any], descriptor: int, channel: Channel) -> None:
        slots = request["slots"]
        self._ring = Ring(descriptor, slots, request["side_max"], writable=True)
        self._free = list(range(slots))
        self._channel = channel

    def put(self, time_us: int, picture: Rgb, scale: float) -> None:
        while not self._free:
            answer = self._channel.receive()
            if answer is None:
                raise ChannelError("nobody takes pictures")
            self._free.append(answer.head["free"])
        slot = self._free.pop(0)
        height, width = picture.shape[:2]
        self._ring.view(slot, height, width)[:] = picture
        self._channel.send(
            {"slot": slot, "time_us": time_us, "width": width, "height": height, "scale": scale}
        )


def _opened(source: Source, format: str) -> InputContainer:
    try:
        return open_container(source, format)
    except MemoryError:
        raise
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise Refused("unreadable") from error


def _zero(request: Mapping[str, Any], container: InputContainer) -> Fraction:
    """Where the medium's clock is 0 on the container's: segments that intake wrote are on it."""
    return Fraction(0) if request["format"] == "matroska" else start_of(container)
