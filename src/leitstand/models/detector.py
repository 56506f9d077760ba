"""Family `detector`: where which objects are. RGB pictures in, `Detection`s in their pixels out.

NanoDet-g 416 (RangiLyu/nanodet, `nanodet/model/head/gfl_head.py`): three levels of cells; scores of
80 classes, already through the sigmoid, and for each of the four sides a distribution over 11
distances. Known by its six outputs, so another model of the same signature loads too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leitstand.core.finding import Detection
from leitstand.models.geometry import Fit, Floats, clip, letterbox, suppress
from leitstand.models.labels import COCO
from leitstand.models.session import Session, only_file, unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Rgb

SCORE_MIN = 0.2
"""Low on purpose: a tracker joins weak boxes to tracks; what people see is filtered later."""
OVERLAP_MAX = 0.5
DETECTIONS_MAX = 300
CANDIDATES_MAX = 3_000

_SIDE = 416
_STRIDES = (8, 16, 32)
_BINS = 11
_FILL = 114
_MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
_DEVIATION_BGR = np.array([57.375, 57.12, 58.395], np.float32)


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A detector over one ONNX file. Raises Problem("model-signature-unknown")."""
    session = Session(only_file(files), device)
    cells = [(_SIDE // stride) ** 2 for stride in _STRIDES]
    shapes = {tuple(shape[1:]): name for name, shape in session.outputs.items()}
    try:
        scores = [shapes[(count, len(COCO))] for count in cells]
        sides = [shapes[(count, 4 * _BINS)] for count in cells]
    except KeyError:
        raise unknown_signature(session.outputs.values()) from None
    return NanoDet(session, scores, sides)


class NanoDet:
    """Decoder of the NanoDet head."""

    def __init__(self, session: Session, scores: Sequence[str], sides: Sequence[str]) -> None:
        self._session = session
        self._scores = scores
        self._sides = sides
        self._centres, self._strides = _cells()
        self.batch_max = 16 if session.dynamic else 1

    def __call__(self, items: Sequence[Rgb]) -> list[list[Detection]]:
        if not items:
            return []
        placed = [letterbox(rgb, _SIDE, _FILL) for rgb in items]
        batch = np.stack([_normal(square) for square, _ in placed])
        outputs = self._session.run(batch)
        scores = np.concatenate([outputs[name] for name in self._scores], axis=1)
        sides = np.concatenate([outputs[name] for name in self._sides], axis=1)
        return [
            self._decode(scores[index], sides[index], fit, items[index])
            for index, (_, fit) in enumerate(placed)
        ]

    def _decode(self, scores: Floats, sides: Floats, fit: Fit, rgb: Rgb) -> list[Detection]:
        cells, classes = np.nonzero(scores >= SCORE_MIN)
        values = scores[cells, classes]
        if values.size > CANDIDATES_MAX:
            best = np.argsort(-values, kind="stable")[:CANDIDATES_MAX]
            cells, classes, values = cells[best], classes[best], values[best]
        boxes = self._boxes(sides[cells], cells) / fit.scale
        found = []
        for label in np.unique(classes):
            chosen = np.flatnonzero(classes == label)
            for index in suppress(boxes[chosen], values[chosen], OVERLAP_MAX, DETECTIONS_MAX):
                x0, y0, x1, y1 = (float(value) for value in boxes[chosen[index]])
                box = clip((x0, y0, x1, y1), rgb.shape[1], rgb.shape[0])
                if box[2] > box[0] and box[3] > box[1]:
                    found.append(Detection(box, COCO[label], float(values[chosen[index]])))
        found.sort(key=lambda detection: -detection.score)
        return found[:DETECTIONS_MAX]

    def _boxes(self, sides: Floats, cells: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        """(n, 4) boxes in pixels of the square: distances are expectations over the bins."""
        logits = sides.reshape(-1, 4, _BINS)
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        distances = weights @ np.arange(_BINS, dtype=np.float32)
        distances *= self._strides[cells, None]
        centres = self._centres[cells]
        boxes: Floats = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], 1)
        return boxes


def _normal(square: Rgb) -> Floats:
    """(3, side, side) in BGR order, scaled as in training."""
    bgr = (square[:, :, ::-1].astype(np.float32) - _MEAN_BGR) / _DEVIATION_BGR
    return np.ascontiguousarray(bgr.transpose(2, 0, 1))


def _cells() -> tuple[Floats, Floats]:
    """Centre (x, y) and stride of every cell of the three levels, row by row."""
    centres, strides = [], []
    for stride in _STRIDES:
        axis = (np.arange(_SIDE // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(axis, axis, indexing="ij")
        centres.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full(x.size, stride, np.float32))
    return np.concatenate(centres), np.concatenate(strides)
