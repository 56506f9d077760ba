"""Detections of single frames linked into tracks, over a whole medium, in order, once.

ByteTrack (Zhang et al., ECCV 2022, https://arxiv.org/abs/2110.06864) by the library `trackers`:
boxes with a high score are matched first, weak ones then rescue what was not matched, and a lost
track is kept for a while. Frames may lie unevenly in time or be every n-th: the motion model is
told the time of each. The result depends on nothing but the detections and their order, so the
number of workers that made them does not show.
"""

from __future__ import annotations

import statistics
import sys
import types
import warnings
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from leitstand.core.facts import Pose, Sighting, Span, Track
from leitstand.core.finding import Box, Detection, Frame, Point

if TYPE_CHECKING:
    from supervision import Detections
    from trackers import ByteTrackTracker

SCORE_HIGH = 0.45
"""From here a box is matched in the first round and may begin a track; below it only continues one."""
IOU_MIN = 0.1
LOST_SECONDS = 2.0
LOST_STEPS_MIN = 5
"""A track survives this long unseen, whichever is longer; then a new one begins."""
SIGHTINGS_MIN = 5
"""Fewer are not called a track: detectors flicker."""
ABSENCE_SECONDS = 0.5
ABSENCE_STEPS = 3
"""An absence longer than both parts a track into spans, and nobody is counted in between."""
BOXES_PER_MEDIUM_MAX = 60_000
"""Sightings kept with their box; over it they are thinned evenly in time."""
FACE = "face"
"""The label under which faces are followed."""
_STEP_US_UNKNOWN = 100_000

Key = tuple[str, int]
"""Label and the library's number: a track before short ones are dropped and the rest numbered."""


def step_of(frames: Sequence[Frame]) -> int:
    """Median distance of frames in microseconds: the rate the motion model is tuned to."""
    steps = [b.time_us - a.time_us for a, b in pairwise(frames)]
    usual = [step for step in steps if step > 0]
    return int(statistics.median(usual)) if usual else _STEP_US_UNKNOWN


class Follower:
    """Links the detections of one medium. Feed frames in order, then take the tracks.

    Every label is followed apart. `step_us` is the usual distance of two frames that a detector
    saw; a frame not later than the one before is left out.
    """

    def __init__(self, step_us: int) -> None:
        self.step_us = max(step_us, 1)
        self.times = array("q")
        self._lanes: dict[str, _Lane] = {}
        self._found: dict[Key, _Building] = {}
        self._spacing_us = 0
        self._kept = 0

    def feed(self, time_us: int, detections: Sequence[Detection]) -> list[Key | None]:
        """The track of each detection, or None where it belongs to none (yet)."""
        if self.times and time_us <= self.times[-1]:
            return [None] * len(detections)
        self.times.append(time_us)
        keys: list[Key | None] = [None] * len(detections)
        by_label: dict[str, list[int]] = {label: [] for label in self._lanes}
        for index, detection in enumerate(detections):
            by_label.setdefault(detection.label, []).append(index)
        for label, indices in by_label.items():
            lane = self._lanes.setdefault(label, _Lane(self.step_us))
            seen = [detections[index] for index in indices]
            numbers, earlier = lane.update(time_us, seen)
            for index, number in zip(indices, numbers, strict=True):
                if number is None:
                    continue
                keys[index] = (label, number)
                if number in earlier:
                    self._note((label, number), *earlier[number])
                self._note((label, number), time_us, detections[index])
        return keys

    def tracks(self) -> dict[Key, Track]:
        """All tracks, numbered from 1 by first sighting: persons, then things, then faces."""
        rank = {"person": 0, FACE: 2}
        longest = [(k, t) for k, t in self._found.items() if t.frames >= SIGHTINGS_MIN]
        longest.sort(key=lambda item: (rank.get(item[0][0], 1), item[1].spans[0][0], item[0]))
        return {
            key: building.finish(number, key[0])
            for number, (key, building) in enumerate(longest, start=1)
        }

    def _note(self, key: Key, time_us: int, detection: Detection) -> None:
        building = self._found.setdefault(key, _Building())
        absence = max(int(ABSENCE_SECONDS * 1e6), ABSENCE_STEPS * self.step_us)
        if building.add(time_us, detection, absence, self._spacing_us):
            self._kept += 1
        if self._kept > BOXES_PER_MEDIUM_MAX:
            self._spacing_us = max(self._spacing_us * 2, 2 * self.step_us)
            self._kept = sum(b.thin(self._spacing_us) for b in self._found.values())


class _Lane:
    """The library's tracker for one label."""

    def __init__(self, step_us: int) -> None:
        rate = 1e6 / step_us
        lost_s = max(LOST_SECONDS, LOST_STEPS_MIN / rate)
        self._tracker: ByteTrackTracker = _library().ByteTrackTracker(
            lost_track_buffer=round(lost_s * 30),
            frame_rate=rate,
            track_activation_threshold=SCORE_HIGH,
            high_conf_det_threshold=SCORE_HIGH,
            minimum_iou_threshold=IOU_MIN,
            minimum_consecutive_frames=2,
        )
        self._untracked: list[tuple[int, Detection]] = []
        self._known: set[int] = set()

    def update(
        self, time_us: int, seen: Sequence[Detection]
    ) -> tuple[list[int | None], dict[int, tuple[int, Detection]]]:
        """Numbers of the detections, and for a new track the sighting that began it.

        The library names a track at its second sighting; the first is found again as the best
        overlap among what was untracked one frame before.
        """
        earlier: dict[int, tuple[int, Detection]] = {}
        if not seen and not self._tracker.tracks:
            self._untracked = []
            return [], earlier
        linked = self._tracker.update(_detections(seen), timestamp=time_us / 1e6)
        numbers: list[int | None] = [None] * len(seen)
        if len(linked):
            order = np.asarray(linked.data["order"]).tolist()
            for index, number in zip(order, np.asarray(linked.tracker_id).tolist(), strict=True):
                numbers[index] = number if number >= 0 else None
        for detection, number in zip(seen, numbers, strict=True):
            if number is None or number in self._known:
                continue
            self._known.add(number)
            first = self._first_of(detection.box)
            if first is not None:
                earlier[number] = first
        self._untracked = [
            (time_us, detection)
            for detection, number in zip(seen, numbers, strict=True)
            if number is None
        ]
        return numbers, earlier

    def _first_of(self, box: Box) -> tuple[int, Detection] | None:
        best = max(self._untracked, key=lambda item: overlap(item[1].box, box), default=None)
        if best is None or overlap(best[1].box, box) < IOU_MIN:
            return None
        self._untracked.remove(best)
        return best


@dataclass(slots=True)
class _Building:
    """A track while it grows, in flat arrays: a long video has millions of sightings."""

    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("f"))
    spans: list[list[int]] = field(default_factory=list)
    frames: int = 0
    score_sum: float = 0.0
    score_low: float = 1.0
    score_high: float = 0.0
    first: Sighting | None = None
    last: Sighting | None = None
    largest: Sighting | None = None
    pose: tuple[int, tuple[Point, ...], float] | None = None
    poses: int = 0

    def add(self, time_us: int, detection: Detection, absence_us: int, spacing_us: int) -> bool:
        """Whether the sighting's box was kept."""
        sighting = Sighting(time_us, detection.box, detection.score)
        if self.last is None:
            self.first = sighting
            self.spans.append([time_us, time_us])
        elif time_us - self.last.time_us > absence_us:
            self.spans.append([time_us, time_us])
        else:
            self.spans[-1][1] = time_us
        if self.largest is None or sighting.height > self.largest.height:
            self.largest = sighting
        self.last = sighting
        self.frames += 1
        self.score_sum += detection.score
        self.score_low = min(self.score_low, detection.score)
        self.score_high = max(self.score_high, detection.score)
        if detection.keypoints:
            score = sum(point[2] for point in detection.keypoints) / len(detection.keypoints)
            self.poses += 1
            if self.pose is None or score > self.pose[2]:
                self.pose = (time_us, detection.keypoints, score)
        if self.times and time_us - self.times[-1] < spacing_us:
            return False
        self.times.append(time_us)
        self.values.extend((*detection.box, detection.score))
        return True

    def thin(self, spacing_us: int) -> int:
        """Keeps sightings at least `spacing_us` apart and says how many are left."""
        times, values = array("q"), array("f")
        for index, time_us in enumerate(self.times):
            if not times or time_us - times[-1] >= spacing_us:
                times.append(time_us)
                values.extend(self.values[5 * index : 5 * index + 5])
        self.times, self.values = times, values
        return len(times)

    def finish(self, number: int, label: str) -> Track:
        assert self.first is not None and self.last is not None and self.largest is not None
        spans: tuple[Span, ...] = tuple((start, end) for start, end in self.spans)
        pose = None if self.pose is None else Pose(*self.pose, frames=self.poses)
        return Track(
            number=number,
            label=label,
            spans=spans,
            frames=self.frames,
            score_mean=self.score_sum / self.frames,
            score_low=self.score_low,
            score_high=self.score_high,
            first=self.first,
            last=self.last,
            largest=self.largest,
            sightings=tuple(self._sightings()),
            pose=pose,
        )

    def _sightings(self) -> Iterator[Sighting]:
        for index, time_us in enumerate(self.times):
            x0, y0, x1, y1, score = self.values[5 * index : 5 * index + 5]
            yield Sighting(time_us, (x0, y0, x1, y1), score)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes; 0 where either has no area."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared)


def _detections(seen: Sequence[Detection]) -> Detections:
    supervision = sys.modules["supervision"]
    found: Detections = supervision.Detections(
        xyxy=np.array([d.box for d in seen], dtype=np.float64).reshape(-1, 4),
        confidence=np.array([d.score for d in seen], dtype=np.float64),
        data={"order": np.arange(len(seen))},
    )
    return found


@cache
def _library() -> Any:
    """`trackers`, also where OpenCV cannot be loaded.

    The library imports `cv2` for its video reading and camera motion, which ByteTrack does not
    use; the `opencv-python` it depends on wants libGL, which a headless machine lacks. There an
    empty module stands in while `trackers` is imported, and is taken away again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import supervision  # noqa: F401

        try:
            import cv2  # noqa: F401
        except ImportError:
            sys.modules["cv2"] = types.ModuleType("cv2")
            try:
                import trackers
            finally:
                del sys.modules["cv2"]
        else:
            import trackers
    return trackers
