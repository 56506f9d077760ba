"""Small media made on the spot: every frame differs, so a lost or doubled one changes the hash."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class Recipe:
    """How a clip is encoded. `times` gives the frames' time stamps in units of `1 / rate`."""

    container: str
    video: str | None = "libx264"
    audio: str | None = None
    frames: int = 75
    rate: int = 25
    group: int = 25
    b_frames: int = 2
    options: dict[str, str] = field(default_factory=dict)
    sample_rate: int = 48_000
    seconds: float | None = None
    times: Callable[[int], int] = lambda n: n
    muxer: dict[str, str] = field(default_factory=dict)
    shift: float = 0.0
    """Seconds added to every time stamp when the clip is written."""


def clip(recipe: Recipe) -> bytes:
    """The encoded file."""
    sink = io.BytesIO()
    options = {"fflags": "+bitexact", **recipe.muxer}
    with av.open(sink, "w", format=recipe.container, options=options) as output:
        encoders = []
        if recipe.video:
            encoders.append(_video(output, recipe))
        if recipe.audio:
            encoders.append(_audio(output, recipe))
        streams = [list(packets) for packets in encoders]
        for packet in sorted(itertools.chain(*streams), key=lambda p: p.dts * p.time_base):
            offset = round(Fraction(recipe.shift) / packet.time_base)
            packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
            output.mux(packet)
    usual_priority()
    return sink.getvalue()


def usual_priority() -> None:
    """SVT-AV1 gives a thread of root's that encodes real-time priority, which every process born
    of it inherits."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _video(output: Any, recipe: Recipe) -> Iterable[Any]:
    stream = output.add_stream(recipe.video, rate=recipe.rate, options=recipe.options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.codec_context.time_base = Fraction(1, recipe.rate)
    stream.codec_context.gop_size = recipe.group
    stream.codec_context.max_b_frames = recipe.b_frames
    stream.codec_context.thread_count = 1
    for number in range(recipe.frames):
        frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
        frame.pts = recipe.times(number)
        frame.time_base = Fraction(1, recipe.rate)
        yield from stream.encode(frame)
    yield from stream.encode()


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Any:
    """A pattern that moves, with the frame's number as bars."""
    ground = np.random.default_rng(7).integers(0, 255, (height * 2, width * 2, 3), dtype=np.uint8)
    ground = ground.reshape(height * 2, width * 2, 3)
    image = np.ascontiguousarray(
        ground[number % height : number % height + height, number % width : number % width + width]
    )
    for bit in range(12):
        image[:8, bit * 8 : bit * 8 + 8] = 255 if number >> bit & 1 else 0
    return image


def _audio(output: Any, recipe: Recipe) -> Iterable[Any]:
    stream = output.add_stream(recipe.audio, rate=recipe.sample_rate)
    stream.layout = "mono"
    seconds = recipe.seconds or recipe.frames / recipe.rate
    sound = tone(seconds, recipe.sample_rate)
    resampler = av.AudioResampler(stream.format, "mono", recipe.sample_rate)
    size = stream.codec_context.frame_size or 1024
    for start in range(0, sound.shape[1], size):
        piece = np.ascontiguousarray(sound[:, start : start + size])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = recipe.sample_rate, start
        frame.time_base = Fraction(1, recipe.sample_rate)
        for converted in resampler.resample(frame):
            yield from stream.encode(converted)
    yield from stream.encode()


def tone(seconds: float, rate: int) -> Any:
    """A rising tone with some noise: no stretch sounds like another."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(3).normal(0, 0.01, time.size)
    return (0.3 * np.sin(2 * np.pi * (200 + 40 * time) * time) + noise).astype(np.float32)[None]


OPEN = {"x264-params": "open-gop=1:scenecut=0:log-level=0"}

VIDEOS: dict[str, Recipe] = {
    "h264-open-gop": Recipe("mp4", options=OPEN, audio="aac"),
    "h264-transport-stream": Recipe("mpegts", options=OPEN, audio="aac"),
    "hevc-open-gop": Recipe(
        "mp4", "libx265", options={"x265-params": "open-gop=1:keyint=20:scenecut=0:log-level=none"}
    ),
    "vp9": Recipe(
        "webm",
        "libvpx-vp9",
        audio="libopus",
        options={
            "deadline": "realtime",
            "cpu-used": "8",
            "auto-alt-ref": "1",
            "lag-in-frames": "8",
        },
    ),
    "mpeg4-avi-b-frames": Recipe("avi", "mpeg4", audio="libmp3lame", group=12),
    "mpeg2-transport-stream": Recipe("mpegts", "mpeg2video", audio="mp2", group=12),
    "mpeg2-program-stream": Recipe("dvd", "mpeg2video", audio="mp2", group=12),
    "variable-frame-rate": Recipe(
        "mp4", options=OPEN, rate=1000, times=lambda n: 37 * n + (n * n) % 23
    ),
    "nearly-same-times": Recipe(
        "matroska", options=OPEN, rate=1000, times=lambda n: 40 * (n // 2) + n % 2, group=10
    ),
    "starts-late": Recipe("mp4", options=OPEN, audio="aac", shift=3.7),
    "edit-list": Recipe("mp4", options=OPEN, audio="aac", shift=-0.52),
    "flv": Recipe("flv", options=OPEN, audio="aac"),
    "windows-media": Recipe("asf", "wmv2", b_frames=0),
    "sorenson-flv": Recipe("flv", "flv", audio="libmp3lame", b_frames=0, sample_rate=44_100),
    "av1": Recipe(
        "matroska", "libsvtav1", options={"preset": "12", "svtav1-params": "keyint=20"}, frames=60
    ),
}
"""What the decoded frames of a cut must survive, by name."""

SOUNDS: dict[str, Recipe] = {
    "pcm-wav": Recipe("wav", None, "pcm_s16le", seconds=6),
    "float-wav": Recipe("wav", None, "pcm_f32le", seconds=6),
    "flac": Recipe("flac", None, "flac", seconds=6),
    "mp3": Recipe("mp3", None, "libmp3lame", seconds=6, sample_rate=44_100),
    "aac-m4a": Recipe("mp4", None, "aac", seconds=6, sample_rate=44_100),
    "aac-adts": Recipe("adts", None, "aac", seconds=6),
    "opus-ogg": Recipe("ogg", None, "libopus", seconds=6),
    "ac3": Recipe("matroska", None, "ac3", seconds=6),
    "raw-ac3": Recipe("ac3", None, "ac3", seconds=6),
    "raw-eac3": Recipe("eac3", None, "eac3", seconds=6),
    "alac-caf": Recipe("mov", None, "alac", seconds=6),
    "mulaw-au": Recipe("au", None, "pcm_mulaw", seconds=6, sample_rate=8000),
}

WHOLE: dict[str, Recipe] = {"tta": Recipe("tta", None, "tta", seconds=6)}
"""Sounds that no Matroska file holds to the last sample: handed on as the file they are."""

DEMUXERS = {"dvd": "mpeg", "webm": "matroska", "adts": "aac"}


def demuxer(recipe: Recipe) -> str:
    return DEMUXERS.get(recipe.container, recipe.container)


def names(*skip: str) -> Sequence[str]:
    return [name for name in VIDEOS if name not in skip]
