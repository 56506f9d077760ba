"""Tracking: persons keep their number, whatever the pace of frames and without OpenCV."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from leitstand.analysis import track
from leitstand.analysis.fold import count, present
from leitstand.analysis.track import Follower, overlap, step_of
from leitstand.core.facts import Track
from leitstand.core.finding import Detection, Frame
from tests.analysis.documents import follow, vtest_frames


def walker(
    times_us: list[int], start_x: float, speed: float, y: float = 100.0, score: float = 0.8
) -> list[tuple[int, Detection]]:
    """Someone who walks `speed` pixels a second."""
    return [
        (t, Detection((x, y, x + 40, y + 100), "person", score))
        for t in times_us
        for x in (start_x + speed * t / 1e6,)
    ]


def frames_of(*walkers: list[tuple[int, Detection]]) -> list[Frame]:
    by_time: dict[int, list[Detection]] = {}
    for one in walkers:
        for time_us, detection in one:
            by_time.setdefault(time_us, []).append(detection)
    return [Frame(time_us, tuple(seen)) for time_us, seen in sorted(by_time.items())]


EVERY = [i * 100_000 for i in range(100)]


def _mean(frames: Sequence[Frame], tracks: Sequence[Track]) -> float:
    times = [frame.time_us for frame in frames]
    return count(times, present(times, tracks)).mean


def test_the_street_video_gives_the_tracks_and_persons_it_shows() -> None:
    frames = vtest_frames()
    tracks = follow(frames, step_of(frames))
    assert len(frames) == 795
    assert sum(t.frames >= 20 for t in tracks) >= 20
    assert 6 <= _mean(frames, tracks) <= 9


@pytest.mark.parametrize("floor", [0.25, 0.35])
def test_the_street_video_does_not_hang_on_the_detectors_threshold(floor: float) -> None:
    frames = [
        Frame(f.time_us, tuple(d for d in f.detections if d.score >= floor)) for f in vtest_frames()
    ]
    tracks = follow(frames, step_of(frames))
    assert sum(t.frames >= 20 for t in tracks) >= 20
    assert 6 <= _mean(frames, tracks) <= 9


def test_the_same_frames_give_the_same_tracks() -> None:
    frames = vtest_frames()[:300]
    assert follow(frames, 100_000) == follow(frames, 100_000)


def test_two_who_pass_each_other_stay_two_and_are_seen_from_their_first_frame() -> None:
    left = walker(EVERY, 0, 50)
    right = walker(EVERY, 500, -50, y=400)
    tracks = follow(frames_of(left, right), 100_000)
    assert [t.frames for t in tracks] == [100, 100]
    assert all(t.from_us == 0 and t.to_us == EVERY[-1] for t in tracks)
    assert tracks[0].first.box == left[0][1].box or tracks[1].first.box == left[0][1].box


def test_a_short_absence_keeps_the_number_and_parts_the_span() -> None:
    times = [t for t in EVERY if not 3_000_000 < t < 4_200_000]
    (only,) = follow(_with_empty(walker(times, 0, 40)), 100_000)
    assert only.spans == ((0, 3_000_000), (4_200_000, EVERY[-1]))
    assert only.frames == len(times)


def _with_empty(one: list[tuple[int, Detection]]) -> list[Frame]:
    """Frames at the full pace; where nobody was seen they are empty."""
    seen = dict(one)
    return [Frame(t, (seen[t],) if t in seen else ()) for t in EVERY]


def test_after_a_long_absence_a_new_track_begins() -> None:
    times = [t for t in EVERY if not 3_000_000 < t < 8_000_000]
    assert len(follow(_with_empty(walker(times, 0, 0)), 100_000)) == 2


@pytest.mark.parametrize("every", [2, 3, 5])
def test_every_nth_frame_gives_the_same_persons(every: int) -> None:
    frames = frames_of(walker(EVERY, 0, 30), walker(EVERY, 700, -20, y=400))[::every]
    assert len(follow(frames, step_of(frames))) == 2


def test_uneven_steps_and_repeated_times_do_not_break_a_track() -> None:
    times = [int(i * 100_000 + (i % 3) * 37_000) for i in range(60)]
    frames = frames_of(walker(times, 0, 40))
    follower = Follower(step_of(frames))
    for frame in frames:
        follower.feed(frame.time_us, frame.detections)
        assert follower.feed(frame.time_us, frame.detections) == [None]
    (only,) = follower.tracks().values()
    assert only.frames == 60


def test_a_flicker_is_no_track_and_labels_do_not_mix() -> None:
    person = walker(EVERY, 0, 10)
    bus = [(t, Detection(d.box, "bus", 0.9)) for t, d in walker(EVERY, 5, 10)]
    flicker = walker(EVERY[10:13], 900, 0)
    tracks = follow(frames_of(person, bus, flicker), 100_000)
    assert [(t.number, t.label) for t in tracks] == [(1, "person"), (2, "bus")]


def test_very_long_tracks_are_thinned_and_keep_their_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track, "BOXES_PER_MEDIUM_MAX", 50)
    (only,) = follow(frames_of(walker(EVERY, 0, 10)), 100_000)
    assert only.frames == 100
    assert len(only.sightings) <= 51
    assert only.last.time_us == EVERY[-1]
    steps = [
        b.time_us - a.time_us for a, b in zip(only.sightings, only.sightings[1:], strict=False)
    ]
    assert min(steps) >= 200_000


def test_the_best_pose_of_a_track_is_kept() -> None:
    frames = frames_of(walker(EVERY, 0, 10))
    posed = [
        Frame(
            f.time_us,
            tuple(
                Detection(d.box, d.label, d.score, ((1.0, 2.0, 0.9 if i == 40 else 0.5),) * 17)
                for d in f.detections
            ),
        )
        for i, f in enumerate(frames)
    ]
    (only,) = follow(posed, 100_000)
    assert only.pose is not None
    assert (only.pose.time_us, only.pose.frames) == (EVERY[40], 100)
    assert only.pose.score == pytest.approx(0.9)


def test_nothing_seen_gives_no_track_and_a_count_of_zero() -> None:
    frames = [Frame(t) for t in EVERY]
    assert follow(frames, 100_000) == ()
    counted = count(EVERY, present(EVERY, []))
    assert (counted.low, counted.high, counted.mean) == (0, 0, 0)


def test_overlap_of_boxes() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (20, 0, 30, 10)) == 0
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0


WITHOUT_OPENCV = """
import json, sys, types
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
sys.meta_path.insert(0, Absent())
sys.path.insert(0, ".")
from leitstand.analysis.track import step_of
from tests.analysis.documents import follow, vtest_frames
frames = vtest_frames()[:200]
tracks = follow(frames, step_of(frames))
assert "cv2" not in sys.modules
print(json.dumps([[t.number, t.frames, t.spans, t.largest.box] for t in tracks]))
"""


def test_tracking_is_the_same_where_opencv_cannot_be_loaded() -> None:
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_OPENCV],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    frames = vtest_frames()[:200]
    here = [[t.number, t.frames, t.spans, t.largest.box] for t in follow(frames, step_of(frames))]
    assert json.loads(told.stdout) == json.loads(json.dumps(here))
