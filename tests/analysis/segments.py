"""Segments of made or real media, as a worker hands them to pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from leitstand.ports import Model, VideoFrame
from tests import weights

if TYPE_CHECKING:
    from leitstand.ports import Rgb, Samples

RATE = 16_000

NAMES = {
    "detector": "nanodet-g-416",
    "face": "blazeface-256",
    "pose": "movenet-lightning",
    "scene": "efficientnet-lite3",
    "silhouette": "selfie-segmentation",
    "voice": "silero-vad",
    "speech": "whisper-tiny.en",
}


@dataclass
class Segment:
    """A `SegmentSource` over pictures with times, or samples with a start."""

    from_us: int
    to_us: int
    pictures: Sequence[tuple[int, Rgb]] = ()
    sound: tuple[int, Samples] = field(default_factory=lambda: (0, np.zeros(0, np.float32)))
    lost: Sequence[tuple[int, int, str]] = ()

    def frames(self, side_max: int) -> Iterator[VideoFrame]:
        """Like the decoder, the array is overwritten by the next frame."""
        held: Rgb | None = None
        for time_us, rgb in self.pictures:
            scale = max(1.0, max(rgb.shape[:2]) / side_max)
            size = (round(rgb.shape[1] / scale), round(rgb.shape[0] / scale))
            small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale > 1 else rgb.copy()
            if held is not None:
                held[:] = 0
            held = np.asarray(small, dtype=np.uint8)
            yield VideoFrame(time_us, held, scale)

    def audio(self) -> tuple[int, Samples]:
        return self.sound

    def gaps(self) -> Sequence[tuple[int, int, str]]:
        return self.lost


@dataclass
class Given:
    """A model that answers from a function and counts what it was asked."""

    answer: Any
    name: str = "given"
    version: str = "1"
    asked: int = 0

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        self.asked += len(items)
        return [self.answer(item) for item in items]


def real(*families: str) -> dict[str, Model]:
    """Models of the catalogue by family."""
    return {
        family: Given(lambda item, name=NAMES[family]: weights.loaded(name)([item])[0])
        for family in families
    }
