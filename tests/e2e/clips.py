"""Short pieces of the real clip, encoded so that they are cut into many segments."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from tests import weights

KEY_FRAME_EVERY = 10


def excerpt(path: Path, *, frames: int, first: int = 300) -> Path:
    """`frames` frames of the pedestrians at 10 a second as H.264, a key frame every second."""
    with av.open(str(weights.vtest_path())) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        stream.codec_context.gop_size = KEY_FRAME_EVERY
        stream.time_base = Fraction(1, 10)
        for number, frame in enumerate(source.decode(video=0)):
            if number < first:
                continue
            if number >= first + frames:
                break
            picture = frame.reformat(format="yuv420p")
            picture.pts, picture.time_base = number - first, Fraction(1, 10)
            target.mux(stream.encode(picture))
        target.mux(stream.encode())
    return path
