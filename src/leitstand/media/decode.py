"""Decoded pictures and sound of untrusted bytes, as the rest of the program takes them.

This side opens no codec. What a child says is checked before it is believed, since the bytes it
decodes may have taken it over; all it can then do is show wrong pixels.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import signal
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from leitstand.core.limits import RING_SLOTS
from leitstand.media.closing import Closing
from leitstand.media.ring import Ring, open_ring
from leitstand.media.sandbox import Limits
from leitstand.media.sound import RATE, SECONDS_MAX
from leitstand.media.zygote import Child, ChildError, Zygote
from leitstand.ports import VideoFrame

if TYPE_CHECKING:
    from leitstand.ports import Samples

Gap = tuple[int, int, str]

CPU_SECONDS_MIN = 120
CPU_SECONDS_PER_SECOND = 20
"""Software decoding of 4K HEVC on one slow core takes less."""
AUDIO_CPU_SECONDS = 300
GAPS_MAX = 1001
_TIME_US_MAX = 2**53

_CODES = {
    "unreadable": "unreadable",
    "decoder-limit": "decoder-limit",
    "cpu-limit": "decoder-limit",
    "memory-limit": "decoder-limit",
    "time-limit": "timeout",
}


class DecodeError(Exception):
    """Nothing, or nothing more, can be read from these bytes.

    `code` is a reason as gaps use it: `unreadable`, `decoder-limit`, `timeout`, or
    `decoder-failed` for a child that crashed or talked nonsense.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def sealed_memfd(chunks: Iterable[bytes]) -> int:
    """Writes the chunks to memory that nobody can change afterwards; the caller closes it.

    Nothing is left behind when `chunks` raises.
    """
    descriptor = os.memfd_create("medium", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Frames(Closing, Iterator[VideoFrame]):
    """Pictures in the order they are shown; each is valid until the next is taken.

    Taking one raises `DecodeError` where nothing more can be read, `OSError` (ENOMEM) where the
    kernel ended the child to save the machine. Closing ends the child; the end closes by itself.
    """

    def __init__(self, child: Child, ring: Ring, side_max: int, interval: tuple[int, int]) -> None:
        self.gaps: list[Gap] = []
        """What could not be read, inside the interval; complete after the last picture."""
        self._child = child
        self._ring: Ring | None = ring
        self._side_max = side_max
        self._interval = interval
        self._held: int | None = None
        self._closed = False

    def __next__(self) -> VideoFrame:
        if self._closed:
            raise StopIteration
        try:
            if self._held is not None:
                with contextlib.suppress(ChildError):  # it may have finished; `receive` tells
                    self._child.send({"free": self._held})
            message = self._child.receive()
            if message is not None:
                return self._frame(message.head)
            self.gaps = _gaps(self._child.wait())
        except ChildError as error:
            self.close()
            raise _decode_error(error) from error
        except BaseException:
            self.close()
            raise
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the child and gives the memory back; safe to call again."""
        self._closed = True
        self._ring = None
        self._child.close()

    def _frame(self, head: dict[str, Any]) -> VideoFrame:
        slot, width, height = (_whole(head.get(name)) for name in ("slot", "width", "height"))
        time_us, scale = head.get("time_us"), head.get("scale")
        if (
            self._ring is None
            or not (0 <= slot < RING_SLOTS)
            or not (0 < width <= self._side_max and 0 < height <= self._side_max)
            or not isinstance(time_us, int)
            or not self._interval[0] <= time_us < self._interval[1]
            or not (isinstance(scale, int | float) and math.isfinite(scale) and scale > 0)
        ):
            raise DecodeError("decoder-failed")
        self._held = slot
        return VideoFrame(time_us, self._ring.view(slot, height, width), float(scale))


def frames(
    zygote: Zygote,
    descriptor: int,
    format: str,
    *,
    side_max: int,
    from_us: int,
    to_us: int,
    stream_index: int = 0,
) -> Frames:
    """Pictures of a segment file whose time lies in `[from_us, to_us)`, RGB, upright, their long
    side at most `side_max`, never enlarged.

    `format` is `image` (one picture at time 0), `matroska` (times as written in the file) or the
    name of another demuxer (times from the earliest start of its streams). `stream_index` counts
    video streams. The caller keeps `descriptor`. Raises as `Zygote.spawn`.
    """
    seconds = max(0, to_us - from_us) / 1e6
    limits = Limits(cpu_seconds=CPU_SECONDS_MIN + int(CPU_SECONDS_PER_SECOND * seconds))
    request = {
        "format": format,
        "size": os.fstat(descriptor).st_size,
        "stream_index": stream_index,
        "side_max": side_max,
        "slots": RING_SLOTS,
        "from_us": from_us,
        "to_us": to_us,
    }
    memory = open_ring(RING_SLOTS, side_max)
    try:
        ring = Ring(memory, RING_SLOTS, side_max, writable=False)
        child = zygote.spawn("decode_frames", request, [descriptor, memory], limits=limits)
    finally:
        os.close(memory)
    return Frames(child, ring, side_max, (0, 1) if format == "image" else (from_us, to_us))


def audio(
    zygote: Zygote, descriptor: int, format: str, *, gaps: list[Gap] | None = None
) -> tuple[int, Samples]:
    """Start in microseconds and all samples, mono float32 at 16 kHz, of the first audio stream.

    Holes in the stream are silence, so that every sample is at its time; those that damage made are
    added to `gaps`. Raises as `Frames`.
    """
    limits = Limits(cpu_seconds=AUDIO_CPU_SECONDS)
    request = {"format": format, "size": os.fstat(descriptor).st_size}
    pieces, size = [], 0
    try:
        with zygote.spawn("decode_audio", request, [descriptor], limits=limits) as child:
            for message in child.messages():
                size += len(message.body)
                if size > 4 * RATE * SECONDS_MAX or len(message.body) % 4:
                    raise DecodeError("decoder-failed")
                pieces.append(np.frombuffer(message.body, np.float32))
            result = child.wait()
    except ChildError as error:
        raise _decode_error(error) from error
    start_us = result.get("start_us") if isinstance(result, dict) else None
    if not isinstance(start_us, int) or abs(start_us) > _TIME_US_MAX:
        raise DecodeError("decoder-failed")
    found = _gaps(result)
    if gaps is not None:
        gaps.extend(found)
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return start_us, np.nan_to_num(samples, copy=False)


def _decode_error(error: ChildError) -> Exception:
    if error.code == "crashed" and error.params.get("signal") == signal.SIGKILL:
        return OSError(errno.ENOMEM, "the decoder was ended from outside")
    return DecodeError(_CODES.get(error.code, "decoder-failed"))


def _gaps(result: Any) -> list[Gap]:
    """The gaps a child reports. Raises `DecodeError` for anything else."""
    gaps = result.get("gaps") if isinstance(result, dict) else None
    if not isinstance(gaps, list) or len(gaps) > GAPS_MAX:
        raise DecodeError("decoder-failed")
    found = []
    for gap in gaps:
        match gap:
            case [int(low), int(high), "unreadable" | "truncated" as reason] if low < high:
                found.append((low, high, str(reason)))
            case _:
                raise DecodeError("decoder-failed")
    return found


def _whole(value: object) -> int:
    return value if isinstance(value, int) else -1
