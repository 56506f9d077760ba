"""Untrusted bytes behind a descriptor, opened as exactly one container format.

Nothing here can reach another file: the format is forced, every protocol of libavformat is closed
(empty whitelist), and a demuxer that asks for a further file (playlists, references inside a film)
is refused. Shared by intake and by tests; safe inside a child that may open nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import BinaryIO, cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from leitstand.core.limits import MIB

STREAMS_MAX = 64
"""Streams one container may declare; hostile files declare 10⁵."""
PROBE_BYTES_MAX = 16 * MIB
PROBE_MICROSECONDS_MAX = 15_000_000
READ_BYTES = 256 * 1024

MediaStream = VideoStream | AudioStream


class Source:
    """A read-only, seekable view of `size` bytes of a descriptor, by `pread`.

    Several sources over one descriptor do not disturb each other, and none closes it.
    """

    name = "<medium>"

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size
        self._position = 0

    @classmethod
    def of(cls, body: bytes | bytearray | memoryview) -> Source:
        """The same view over bytes in memory (a segment just cut)."""
        return _Memory(body)

    def again(self) -> Source:
        """Another view of the same bytes, at the start."""
        return Source(self.descriptor, self.size)

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end."""
        count = max(0, min(count, self.size - offset))
        whole = os.pread(self.descriptor, count, offset) if count else b""
        while len(whole) < count:
            part = os.pread(self.descriptor, count - len(whole), offset + len(whole))
            if not part:
                break
            whole += part
        return whole

    def read(self, count: int = -1) -> bytes:
        data = self.read_at(self._position, self.size if count < 0 else count)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = (0, self._position, self.size)[whence]
        if start + offset < 0:
            raise ValueError("seek before the start")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def file(self) -> BinaryIO:
        """The same object, for libraries typed against `BinaryIO`."""
        return cast(BinaryIO, self)


class _Memory(Source):
    def __init__(self, body: bytes | bytearray | memoryview) -> None:
        self._body = memoryview(body)
        super().__init__(-1, len(self._body))

    def again(self) -> Source:
        return _Memory(self._body)

    def read_at(self, offset: int, count: int) -> bytes:
        return bytes(self._body[offset : offset + count])


def open_container(source: Source, format: str) -> InputContainer:
    """Opens the bytes as `format` and nothing else.

    Raises `av.error.FFmpegError` (or `OSError`, `ValueError`) where they are not that format.
    """
    return av.open(
        source.again().file(),
        "r",
        format=format,
        metadata_errors="replace",
        options={
            "protocol_whitelist": "",
            "max_streams": str(STREAMS_MAX),
            "probesize": str(PROBE_BYTES_MAX),
            "analyzeduration": str(PROBE_MICROSECONDS_MAX),
        },
        buffer_size=READ_BYTES,
        io_open=cast("Callable[..., object]", _refuse),
    )


def _refuse(url: str, flags: int, options: object) -> object:
    raise PermissionError("a medium may not open another file")


def first_video(container: InputContainer) -> VideoStream | None:
    """The first moving picture; cover art and thumbnails are not video."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in container.streams.video:
        if not stream.disposition & still and stream.codec_context is not None:
            return stream
    return None


def first_audio(container: InputContainer) -> AudioStream | None:
    """The first sound that a decoder is known for."""
    for stream in container.streams.audio:
        if stream.codec_context is not None:
            return stream
    return None


def start_of(container: InputContainer) -> Fraction:
    """Seconds on the container's own clock where the medium's clock is 0.

    The earliest start of its first video and first audio stream. Whoever decodes a segment whose
    format is not `matroska` subtracts this.
    """
    starts = [
        Fraction(stream.start_time) * stream.time_base
        for stream in (first_video(container), first_audio(container))
        if stream is not None and stream.start_time is not None and stream.time_base
    ]
    return min(starts, default=Fraction(0))


def chunks(source: Source, size: int = MIB) -> Iterator[bytes]:
    """All bytes in order."""
    for offset in range(0, source.size, size):
        yield source.read_at(offset, size)
