"""What the detectors see in pictures, as result lines in pixels of the original.

Shared by the pipelines `image` and `video`, so that a still and a frame are looked at alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from leitstand.core.finding import Box, Detection, Face, Frame, Point
from leitstand.core.profile import Use
from leitstand.ports import Model, VideoFrame

PERSON = "person"
PERSON_SCORE_MIN = 0.2
"""Persons this weak are reported because a tracker joins them to tracks (ByteTrack's second round);
the report shows none of them on their own."""
OBJECT_SCORE_MIN = 0.35
"""Other objects below this are not reported; persons from this score on count as seen."""
POSE_HEIGHT_MIN = 48.0
"""Pixels of the decoded frame; a smaller person has no readable joints."""


def split(
    uses: Sequence[Use], models: Mapping[str, Model]
) -> tuple[dict[str, Model], dict[str, Model]]:
    """The models whose findings a profile reports, and those that it uses for blurring alone."""
    reported = {use.family: models[use.family] for use in uses if use.family in models}
    others = {
        use.family: reported.pop(use.family)
        for use in uses
        if not use.reported and use.family in models
    }
    return reported, others


def look(
    pictures: Sequence[VideoFrame], models: Mapping[str, Model], posed_max: int
) -> list[Frame]:
    """One `Frame` per picture with what the loaded models find in it.

    Poses are estimated for at most `posed_max` persons of a picture, the tallest first.
    """
    images = [picture.rgb for picture in pictures]
    empty: list[list[Detection]] = [[] for _ in pictures]
    found = list(models["detector"](images)) if "detector" in models else empty
    faces = list(models["face"](images)) if "face" in models else [[] for _ in pictures]
    kept = [[one for one in detections if _reported(one)] for detections in found]
    if "pose" in models:
        kept = _posed(pictures, kept, models["pose"], posed_max)
    return [
        Frame(
            time_us=picture.time_us,
            detections=tuple(_scaled(detection, picture.scale) for detection in detections),
            faces=tuple(_scaled_face(face, picture.scale) for face in seen),
        )
        for picture, detections, seen in zip(pictures, kept, faces, strict=True)
    ]


def people(frame: Frame) -> list[Detection]:
    """The persons that count as seen in a frame."""
    return [d for d in frame.detections if d.label == PERSON and d.score >= OBJECT_SCORE_MIN]


def has_pose(frame: Frame) -> bool:
    """Whether any person of the frame has key points."""
    return any(detection.keypoints for detection in frame.detections)


def _reported(detection: Detection) -> bool:
    least = PERSON_SCORE_MIN if detection.label == PERSON else OBJECT_SCORE_MIN
    return detection.score >= least


def _posed(
    pictures: Sequence[VideoFrame],
    found: Sequence[Sequence[Detection]],
    pose: Model,
    posed_max: int,
) -> list[list[Detection]]:
    """The detections with key points where they have some; all pictures in one call of the model."""
    result = [list(detections) for detections in found]
    chosen = [
        (number, index)
        for number, detections in enumerate(found)
        for index in _tallest(detections)[:posed_max]
    ]
    crops = [(pictures[number].rgb, found[number][index].box) for number, index in chosen]
    for (number, index), points in zip(chosen, pose(crops) if crops else [], strict=True):
        result[number][index] = replace(found[number][index], keypoints=tuple(points))
    return result


def _tallest(detections: Sequence[Detection]) -> list[int]:
    """Indices of the persons that may have a pose, the tallest first."""
    candidates = [
        index
        for index, detection in enumerate(detections)
        if detection.label == PERSON
        and detection.score >= OBJECT_SCORE_MIN
        and _height(detection.box) >= POSE_HEIGHT_MIN
    ]
    return sorted(candidates, key=lambda index: -_height(detections[index].box))


def _height(box: Box) -> float:
    return box[3] - box[1]


def _scaled(detection: Detection, scale: float) -> Detection:
    return Detection(
        box=_box(detection.box, scale),
        label=detection.label,
        score=round(detection.score, 4),
        keypoints=_points(detection.keypoints, scale),
    )


def _scaled_face(face: Face, scale: float) -> Face:
    return Face(_box(face.box, scale), round(face.score, 4), _points(face.points, scale))


def _box(box: Box, scale: float) -> Box:
    x0, y0, x1, y1 = (round(value * scale, 1) for value in box)
    return (x0, y0, x1, y1)


def _points(points: Sequence[Point], scale: float) -> tuple[Point, ...]:
    return tuple((round(x * scale, 1), round(y * scale, 1), round(s, 3)) for x, y, s in points)
