"""Family `silhouette`: which pixels are people. RGB pictures in, float32 (H, W) probabilities out.

MediaPipe selfie segmentation (model card 2021): the picture as 256 x 256 RGB in 0..1, one
probability a pixel back. It was made for people near a camera: small figures in a wide view are
missed, and the report says "person area", not a count.
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

_SIDE = 256


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A person segmenter over one ONNX file. Raises Problem("model-signature-unknown")."""
    session = Session(only_file(files), device)
    if [tuple(shape[1:]) for shape in session.outputs.values()] != [(_SIDE, _SIDE, 1)]:
        raise unknown_signature(session.outputs.values())
    return SelfieSegmentation(session)


class SelfieSegmentation:
    """Stretches to the network's square and back."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.batch_max = 8 if session.dynamic else 1

    def __call__(self, items: Sequence[Rgb]) -> list[Floats]:
        if not items:
            return []
        squares = [cv2.resize(rgb, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for rgb in items]
        batch = np.stack(squares).astype(np.float32) / 255.0
        (output,) = self._session.run(batch).values()
        return [
            _resized(mask[:, :, 0], rgb.shape[1], rgb.shape[0])
            for mask, rgb in zip(output, items, strict=True)
        ]


def _resized(mask: Floats, width: int, height: int) -> Floats:
    grown = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(grown, 0.0, 1.0).astype(np.float32)
