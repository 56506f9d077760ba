"""What a picture as a whole shows: labels of the scene, and what the rules make of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leitstand.analysis import rules
from leitstand.core.finding import Frame, Scene
from leitstand.ports import Model, VideoFrame

LABELS_MAX = 3
LABEL_SCORE_MIN = 0.35


def surroundings(source: VideoFrame, frame: Frame, models: Mapping[str, Model]) -> Iterator[Scene]:
    """Labels by the scene model where there is one, then place and light by rule."""
    labels: list[tuple[str, float]] = []
    if "scene" in models:
        (labels,) = models["scene"]([source.rgb])
    for label, score in labels[:LABELS_MAX]:
        if score >= LABEL_SCORE_MIN:
            yield Scene(source.time_us, "label", label, round(score, 4), "scene")
    where = rules.place(source.time_us, labels, frame.detections)
    if where is not None:
        yield where
    light = rules.light(source.time_us, source.rgb, where)
    if light is not None:
        yield light
