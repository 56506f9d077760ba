"""Family `pose`: the 17 COCO key points of one person. `(rgb, box)` in, `Point`s in its pixels out.

MoveNet Lightning (TensorFlow Hub `movenet/singlepose/lightning/4`, model card): a 192 x 192 RGB
crop as integers, `(1, 1, 17, 3)` out as y, x, score in 0..1 of the crop. The graph takes the person
nearest to the middle of the crop, so the crop is a square around the box with some air.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leitstand.core.finding import Box, Point
from leitstand.models.geometry import Fit, Floats, square_around
from leitstand.models.session import Session, only_file, unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Rgb

GROW = 1.25
"""Side of the crop as a multiple of the box's longer side."""

_SIDE = 192
_POINTS = 17


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A pose estimator over one ONNX file. Raises Problem("model-signature-unknown")."""
    session = Session(only_file(files), device)
    if [tuple(shape[1:]) for shape in session.outputs.values()] != [(1, _POINTS, 3)]:
        raise unknown_signature(session.outputs.values())
    return MoveNet(session)


class MoveNet:
    """Crops, runs and maps back; one crop a run unless the graph has a free batch dimension."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.batch_max = 16 if session.dynamic else 1

    def __call__(self, items: Sequence[tuple[Rgb, Box]]) -> list[tuple[Point, ...]]:
        placed = [square_around(rgb, box, GROW, _SIDE) for rgb, box in items]
        results: list[tuple[Point, ...]] = []
        for start in range(0, len(placed), self.batch_max):
            chunk = placed[start : start + self.batch_max]
            batch = np.stack([crop for crop, _ in chunk]).astype(np.int32)
            (output,) = self._session.run(batch).values()
            results.extend(
                _points(rows[0], fit) for rows, (_, fit) in zip(output, chunk, strict=True)
            )
        return results


def _points(rows: Floats, fit: Fit) -> tuple[Point, ...]:
    points = []
    for y, x, score in rows:
        px, py = fit.back(float(x) * _SIDE, float(y) * _SIDE)
        points.append((px, py, min(max(float(score), 0.0), 1.0)))
    return tuple(points)
