"""Pipeline `image`: objects, faces, poses, person area and surroundings of one still picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from leitstand.analysis.look import PERSON, look, people, split
from leitstand.analysis.picture import picture
from leitstand.analysis.surroundings import surroundings
from leitstand.core.finding import Box, Frame, Gap, Line, Mask, Stats
from leitstand.core.limits import FRAME_SIDE_MAX
from leitstand.core.profile import uses
from leitstand.ports import Model, SegmentSource, VideoFrame

POSED_MAX = 50
MASK_PROBABILITY = 0.5
MASK_GROW = 0.3
"""How far beyond a person's box the person area may reach, as a part of the box."""
POLYGONS_MAX = 20
POLYGON_AREA_MIN = 0.0005
"""Smaller patches, as a part of the picture, are noise."""


def run(
    profile: str,
    source: SegmentSource,
    models: Mapping[str, Model],
    progress: Callable[[int], None],
) -> Iterator[Line]:
    """Findings of one still picture, at time 0.

    Only models of the profile are used, whichever are given. Without a readable frame there are
    gaps and statistics alone.
    """
    used = uses(profile, "image")
    wanted = {use.family for use in used}
    reported, others = split(used, models)
    units = 0
    for still in source.frames(FRAME_SIDE_MAX):
        units += 1
        yield from _still(still, reported, others, wanted)
        progress(1)
        break
    yield from (Gap(*gap) for gap in source.gaps())
    yield Stats("image", units, units)


def _still(
    still: VideoFrame, models: Mapping[str, Model], others: Mapping[str, Model], wanted: set[str]
) -> Iterator[Line]:
    (frame,) = look([still], models, POSED_MAX)
    yield frame
    if "scene" in wanted:
        yield from surroundings(still, frame, models)
    if "silhouette" in models:
        mask = _mask(still, frame, models["silhouette"])
        if mask is not None:
            yield mask
    yield from picture(still, frame, models, others)


def _mask(still: VideoFrame, frame: Frame, silhouette: Model) -> Mask | None:
    """The person area, where persons were seen: the model sees people in fruit, too, so what lies
    away from every person's box is not believed."""
    seen = [detection.box for detection in people(frame)]
    if not seen:
        return None
    (probability,) = silhouette([still.rgb])
    area = (probability >= MASK_PROBABILITY) & _around(seen, still)
    contours, _ = cv2.findContours(
        area.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    least = POLYGON_AREA_MIN * area.size
    large = [contour for contour in contours if cv2.contourArea(contour) >= least]
    large.sort(key=cv2.contourArea, reverse=True)
    tolerance = 0.003 * max(area.shape)
    outlines = [
        cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in large[:POLYGONS_MAX]
    ]
    polygons = tuple(
        tuple((round(float(x) * still.scale, 1), round(float(y) * still.scale, 1)) for x, y in line)
        for line in outlines
        if len(line) >= 3
    )
    if not polygons:
        return None
    return Mask(still.time_us, PERSON, round(float(area.mean()), 4), polygons)


def _around(boxes: Sequence[Box], still: VideoFrame) -> npt.NDArray[np.bool_]:
    """True inside the boxes, each grown by `MASK_GROW`, in pixels of the decoded picture."""
    inside = np.zeros(still.rgb.shape[:2], np.bool_)
    for x0, y0, x1, y1 in boxes:
        dx, dy = (x1 - x0) * MASK_GROW, (y1 - y0) * MASK_GROW
        left, top = int(max(0.0, (x0 - dx) / still.scale)), int(max(0.0, (y0 - dy) / still.scale))
        right, bottom = int((x1 + dx) / still.scale), int((y1 + dy) / still.scale)
        inside[top : bottom + 1, left : right + 1] = True
    return inside
