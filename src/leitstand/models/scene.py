"""Family `scene`: what a picture shows as a whole. RGB in, `(label, score)` best first out.

A classifier of ImageNet-1k: the picture as a square of RGB values 0..255 in NHWC order, one
probability per label back, names in `labels.txt`, one a line in the order of the outputs.
EfficientNet-Lite3 (tensorflow/tpu, `models/official/efficientnet/lite`) sees 280 x 280 pixels. It
knows things rather than places: where nothing fits, its best score is low, and callers drop it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from leitstand.models.geometry import Floats
from leitstand.models.session import Session, only_file, unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Rgb

LABELS_MAX = 10


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A classifier over one ONNX file and its labels. Raises Problem("model-signature-unknown")."""
    session = Session(only_file(files), device)
    lines = only_file(files, ".txt").decode("utf-8").splitlines()
    labels = tuple(line.split(",")[0].strip() for line in lines if line.strip())
    (shape,) = session.inputs.values()
    outputs = [tuple(output[1:]) for output in session.outputs.values()]
    side = shape[1]
    square = isinstance(side, int) and tuple(shape[1:]) == (side, side, 3)
    if not isinstance(side, int) or not square or outputs != [(len(labels),)]:
        raise unknown_signature([shape, *outputs, f"{len(labels)} labels"])
    return Classifier(session, labels, side)


class Classifier:
    """The whole picture in the network's square: what lies at its sides counts for a scene."""

    def __init__(self, session: Session, labels: Sequence[str], side: int) -> None:
        self._session = session
        self._labels = labels
        self._side = side
        self.batch_max = 8 if session.dynamic else 1

    def __call__(self, items: Sequence[Rgb]) -> list[list[tuple[str, float]]]:
        if not items:
            return []
        size = (self._side, self._side)
        squares = [cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) for rgb in items]
        (output,) = self._session.run(np.stack(squares).astype(np.float32)).values()
        return [self._best(row) for row in output]

    def _best(self, row: Floats) -> list[tuple[str, float]]:
        order = np.argsort(-row, kind="stable")[:LABELS_MAX]
        return [(self._labels[index], float(row[index])) for index in order]
