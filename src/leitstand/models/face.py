"""Family `face`: where faces are, never whose they are. RGB pictures in, `Face`s out.

BlazeFace 256 (Bazarevsky et al. 2019, arXiv:1907.05047; MediaPipe `face_detection`): 896 anchors,
two per cell of a 16 x 16 grid and six per cell of an 8 x 8 grid; box and six points are offsets
from the anchor in pixels of the 256 square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leitstand.core.finding import Box, Face
from leitstand.models.geometry import Fit, Floats, clip, letterbox, suppress
from leitstand.models.session import Session, only_file, unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Rgb

SCORE_MIN = 0.5
OVERLAP_MAX = 0.3
FACES_MAX = 100

_SIDE = 256
_LEVELS = ((16, 2), (8, 6))
_POINTS = 6


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A face detector over one ONNX file. Raises Problem("model-signature-unknown")."""
    session = Session(only_file(files), device)
    shapes = {tuple(shape[1:]): name for name, shape in session.outputs.items()}
    anchors = [cells * cells * each for cells, each in _LEVELS]
    try:
        scores = [shapes[(count, 1)] for count in anchors]
        boxes = [shapes[(count, 4 + 2 * _POINTS)] for count in anchors]
    except KeyError:
        raise unknown_signature(session.outputs.values()) from None
    return BlazeFace(session, scores, boxes)


class BlazeFace:
    """Decoder of the BlazeFace anchors."""

    def __init__(self, session: Session, scores: Sequence[str], boxes: Sequence[str]) -> None:
        self._session = session
        self._scores = scores
        self._boxes = boxes
        self._anchors = _anchors()
        self.batch_max = 16 if session.dynamic else 1

    def __call__(self, items: Sequence[Rgb]) -> list[list[Face]]:
        if not items:
            return []
        placed = [letterbox(rgb, _SIDE, 0) for rgb in items]
        batch = np.stack([square for square, _ in placed]).astype(np.float32) / 127.5 - 1.0
        outputs = self._session.run(batch)
        logits = np.concatenate([outputs[name] for name in self._scores], axis=1)[:, :, 0]
        raw = np.concatenate([outputs[name] for name in self._boxes], axis=1)
        return [
            self._decode(logits[index], raw[index], fit, items[index])
            for index, (_, fit) in enumerate(placed)
        ]

    def _decode(self, logits: Floats, raw: Floats, fit: Fit, rgb: Rgb) -> list[Face]:
        scores = (1.0 / (1.0 + np.exp(-np.clip(logits, -80.0, 80.0)))).astype(np.float32)
        chosen = np.flatnonzero(scores >= SCORE_MIN)
        scores, raw, anchors = scores[chosen], raw[chosen], self._anchors[chosen]
        centres, sizes = raw[:, :2] + anchors, raw[:, 2:4]
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
        boxes = (boxes / fit.scale).astype(np.float32)
        points = (raw[:, 4:].reshape(-1, _POINTS, 2) + anchors[:, None]) / fit.scale
        faces = []
        for index in suppress(boxes, scores, OVERLAP_MAX, FACES_MAX):
            x0, y0, x1, y1 = (float(value) for value in boxes[index])
            box: Box = clip((x0, y0, x1, y1), rgb.shape[1], rgb.shape[0])
            score = float(scores[index])
            marks = tuple((float(x), float(y), score) for x, y in points[index])
            if box[2] > box[0] and box[3] > box[1]:
                faces.append(Face(box, score, marks))
        return faces


def _anchors() -> Floats:
    """(896, 2) centres in pixels of the square."""
    centres = []
    for cells, each in _LEVELS:
        axis = (np.arange(cells, dtype=np.float32) + 0.5) * (_SIDE / cells)
        y, x = np.meshgrid(axis, axis, indexing="ij")
        centres.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), each, axis=0))
    return np.concatenate(centres)
