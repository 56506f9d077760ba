"""Small media made with PyAV itself, so that tests know every frame and sample."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from clips import usual_priority

FOREVER = 10**9
RED, GREEN, BLUE, GREY = (200, 40, 40), (40, 180, 40), (40, 60, 200), (120, 120, 120)


def corners(width=96, height=64, shade=0):
    """Red, green / blue, grey quarters; `shade` makes frames differ."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    picture[height // 2 :, width // 2 :] = GREY
    return np.clip(picture.astype(np.int16) + shade, 0, 255).astype(np.uint8)


def video(
    codec="libx264",
    container="matroska",
    count=30,
    rate=10,
    size=(96, 64),
    options=None,
    rotation=None,
    matrix=None,
    start=0,
):
    """`count` frames of `corners`, one per 1/`rate` s, and the bytes of their file."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 10
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(corners(*size, shade=number % 40), format="rgb24")
            frame.pts = start + number
            frame.time_base = Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    usual_priority()
    return sink.getvalue()


def sine(hertz, seconds, rate=44100):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def sound(samples, codec="pcm_s16le", container="matroska", rate=44100, start=0, hole=None):
    """A stereo file of `samples`; `hole` = (sample, length) moves what follows later."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        for at in range(0, len(samples), 1024):
            piece = samples[at : at + 1024]
            frame = av.AudioFrame.from_ndarray(
                np.stack([piece, piece]), format="fltp", layout="stereo"
            )
            frame.sample_rate = rate
            frame.pts = start + at + (hole[1] if hole and at >= hole[0] else 0)
            frame.time_base = Fraction(1, rate)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return sink.getvalue()


def in_process(body, format, picture_format="rgb24"):
    """Times and pictures as plain PyAV decodes them here."""
    with av.open(io.BytesIO(body), format=format) as container:
        return [
            (int(frame.pts * frame.time_base * 1_000_000), frame.to_ndarray(format=picture_format))
            for frame in container.decode(video=0)
        ]


def open_descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def near(picture, expected, mean=3.0):
    return picture.shape == expected.shape and (
        np.abs(picture.astype(int) - expected.astype(int)).mean() < mean
    )
