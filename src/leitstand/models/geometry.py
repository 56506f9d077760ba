"""Putting pictures into the squares that networks want, and results back into the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from leitstand.core.finding import Box

if TYPE_CHECKING:
    from leitstand.ports import Rgb

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture was placed in a network's square: square = picture * scale + offset."""

    scale: float
    offset_x: float = 0.0
    offset_y: float = 0.0

    def back(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.offset_x) / self.scale, (y - self.offset_y) / self.scale


def letterbox(rgb: Rgb, side: int, fill: int) -> tuple[Rgb, Fit]:
    """The whole picture in a square of `side` pixels, at the upper left, the rest filled."""
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = np.full((side, side, 3), fill, np.uint8)
    square[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=_interpolation(scale))
    return square, Fit(scale)


def square_around(rgb: Rgb, box: Box, grow: float, side: int) -> tuple[Rgb, Fit]:
    """A square around a box, `grow` times its longer side, as `side` x `side` pixels; what lies
    outside the picture is black."""
    x0, y0, x1, y1 = box
    extent = max(x1 - x0, y1 - y0, 1.0) * grow
    scale = side / extent
    left, top = (x0 + x1) / 2 - extent / 2, (y0 + y1) / 2 - extent / 2
    half = (scale - 1) / 2  # pixel centres: (x + .5) * scale - .5
    matrix = np.array([[scale, 0, half - left * scale], [0, scale, half - top * scale]])
    crop = cv2.warpAffine(rgb, matrix, (side, side), flags=cv2.INTER_LINEAR)
    return np.asarray(crop, dtype=np.uint8), Fit(scale, -left * scale, -top * scale)


def clip(box: Box, width: int, height: int) -> Box:
    """The part of a box inside the picture."""
    x0, y0, x1, y1 = box
    return (
        min(max(x0, 0.0), float(width)),
        min(max(y0, 0.0), float(height)),
        min(max(x1, 0.0), float(width)),
        min(max(y1, 0.0), float(height)),
    )


def suppress(boxes: Floats, scores: Floats, overlap_max: float, keep_max: int) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes kept, best first.

    `boxes` is (n, 4) as x0, y0, x1, y1. Equal scores keep their order, so the result does not
    depend on the sorting algorithm.
    """
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size and len(kept) < keep_max:
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        corner0 = np.maximum(boxes[best, :2], boxes[rest, :2])
        corner1 = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.clip(corner1 - corner0, 0.0, None), axis=1)
        union = areas[best] + areas[rest] - shared
        order = rest[shared <= overlap_max * np.maximum(union, 1e-9)]
    return kept


def _interpolation(scale: float) -> int:
    """Averaging when shrinking keeps small things visible; linear when growing."""
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
