"""Pictures for the report: small, and with persons blurred in the pixels before they leave here.

Persons without a face and faces without a person are both there to be seen, so a picture is made
only where a model for each has looked at it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from leitstand.analysis.look import PERSON, look
from leitstand.core.finding import Box, Frame, Picture
from leitstand.core.limits import PICTURE_SIDE_MAX
from leitstand.core.problem import Problem
from leitstand.core.profile import BLURRED_BY
from leitstand.ports import Model, VideoFrame

JPEG_QUALITY = 80
PERSON_BLOCKS = 14
FACE_BLOCKS = 3
"""Blocks along the longer side of a blurred region: posture stays visible, features do not. A head
is about a seventh of a standing person, so it keeps two blocks; a face is blurred once more."""
PERSON_GROW = 0.06
FACE_GROW = 0.5
"""How far beyond its box a region is blurred, as a part of the box: hair and chin lie outside a
detected face."""

Pixels = npt.NDArray[np.uint8]


def picture(
    source: VideoFrame, frame: Frame, reported: Mapping[str, Model], others: Mapping[str, Model]
) -> Iterator[Picture]:
    """The frame as a JPEG for the report, every person and face made unrecognisable; nothing where
    not all models are there that find them.

    `reported` are the models that made `frame`, `others` those that look at it now and only for
    this. Weak detections are blurred too: a box too many costs less than a face too much.
    """
    if BLURRED_BY - {*reported, *others}:
        return
    (more,) = look([source], others, 0)
    height, width = source.rgb.shape[:2]
    shrink = min(1.0, PICTURE_SIDE_MAX / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    resized = cv2.resize(source.rgb, size, interpolation=cv2.INTER_AREA)
    small: Pixels = np.ascontiguousarray(resized, dtype=np.uint8)
    scale = shrink / source.scale
    for box, blocks in _regions(frame, more):
        _blur(small, tuple(value * scale for value in box), blocks)
    done, data = cv2.imencode(".jpg", small[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise Problem("picture-not-encodable", width=size[0], height=size[1])
    encoded = base64.b64encode(data.tobytes()).decode("ascii")
    yield Picture(source.time_us, size[0], size[1], scale, encoded)


def _regions(*frames: Frame) -> Iterable[tuple[Box, int]]:
    """Boxes to blur with the number of blocks; faces last, over what their persons became."""
    for frame in frames:
        for detection in frame.detections:
            if detection.label == PERSON:
                yield _grown(detection.box, PERSON_GROW), PERSON_BLOCKS
    for frame in frames:
        for face in frame.faces:
            yield _grown(face.box, FACE_GROW), FACE_BLOCKS


def _grown(box: Box, part: float) -> Box:
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) * part, (y1 - y0) * part
    return (x0 - dx, y0 - dy, x1 + dx, y1 + dy)


def _blur(pixels: Pixels, box: tuple[float, ...], count: int) -> None:
    """Averages the region to a few blocks and smooths them; the detail is gone, not hidden."""
    height, width = pixels.shape[:2]
    x0, y0 = max(0, int(np.floor(box[0]))), max(0, int(np.floor(box[1])))
    x1, y1 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if x1 - x0 < 1 or y1 - y0 < 1:
        return
    region = pixels[y0:y1, x0:x1]
    block = max(x1 - x0, y1 - y0) / count
    blocks = (max(1, round((x1 - x0) / block)), max(1, round((y1 - y0) / block)))
    coarse = cv2.resize(region, blocks, interpolation=cv2.INTER_AREA)
    pixels[y0:y1, x0:x1] = cv2.resize(coarse, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
