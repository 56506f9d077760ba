"""One video stream to RGB pictures: decoded in order, scaled, upright, damage booked."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.container import InputContainer
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

from leitstand.core.limits import PIXELS_MAX
from leitstand.media.channel import Refused
from leitstand.media.damage import Damage
from leitstand.media.index import US, packets
from leitstand.media.ring import fitted

if TYPE_CHECKING:
    from leitstand.ports import Rgb


def video_stream(container: InputContainer, number: int) -> Any:
    """The moving pictures of that number; cover art does not count. Raises `Refused`."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [
        stream
        for stream in container.streams.video
        if not stream.disposition & still and stream.codec_context is not None
    ]
    if number >= len(moving):
        raise Refused("unreadable")
    stream = moving[number]
    stream.codec_context.options = {"max_pixels": str(PIXELS_MAX)}
    return stream


def decoded(
    container: InputContainer, stream: Any, zero: Fraction, damage: Damage
) -> Iterator[tuple[int, Any]]:
    """Whole frames with their time on the medium's clock, as they are shown.

    Goes on after damaged packets and damaged places of the container, and books them.
    """
    stream.codec_context.thread_count = 1  # the same bytes give the same frames, damaged ones too
    for packet in _packets(container, stream, damage):
        try:
            frames = stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError):
            damage.hit(None if packet is None else _us(stream, packet.pts, zero))
            continue
        for frame in frames:
            time_us = _us(stream, frame.pts, zero)
            if frame.is_corrupt:
                damage.hit(time_us)
            elif time_us is not None:
                yield time_us, frame


def _packets(container: InputContainer, stream: Any, damage: Damage) -> Iterator[Any]:
    """Packets with content, then None, which drains the decoder."""
    yield from packets(container, stream, lambda: damage.hit(None))
    yield None


def _us(stream: Any, pts: int | None, zero: Fraction) -> int | None:
    """Frames that come out last carry no time base of their own, so the stream's counts."""
    return None if pts is None else int((pts * stream.time_base - zero) * US // 1)


class Scaler:
    """Frames to RGB within a square of `side_max`."""

    def __init__(self, side_max: int) -> None:
        self._side_max = side_max
        self._reformatter = VideoReformatter()

    def rgb(self, frame: Any) -> tuple[Rgb, float]:
        """A view of the picture as displayed, and what one of its pixels measures in the original.

        Displayed pixels are coded pixels: a sample aspect ratio other than 1 is not stretched.
        """
        if frame.width * frame.height > PIXELS_MAX:
            raise Refused("decoder-limit", limit="pixels")
        width, height = fitted(frame.width, frame.height, self._side_max)
        scaled = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=Interpolation.BILINEAR, threads=1
        )
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)
        picture = rows[:, : 3 * width].reshape(height, width, 3)
        scale = max(frame.width, frame.height) / max(width, height)
        return upright(picture, _matrix(frame)), scale


def _matrix(frame: Any) -> tuple[int, ...] | None:
    side_data = frame.side_data.get(SideData.DISPLAYMATRIX)
    if side_data is None:
        return None
    values = np.frombuffer(side_data, np.int32, 9)
    return tuple(int(value) for value in values)


def upright(picture: Rgb, matrix: tuple[int, ...] | None) -> Rgb:
    """A view of the picture as a player shows it: a display matrix (ISO/IEC 14496-12, 6.2.2) says
    where its axes go; angles between are taken to the nearest quarter."""
    if matrix is None:
        return picture
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) >= abs(b) + abs(c):
        right, down = a >= 0, d >= 0
    else:
        picture = picture.transpose(1, 0, 2)
        right, down = c >= 0, b >= 0
    return picture[:: 1 if down else -1, :: 1 if right else -1]
