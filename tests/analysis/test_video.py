"""The video pipeline looks at frames by their time alone and chooses pictures the same everywhere."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from leitstand.analysis import video
from leitstand.core.finding import Detection, Frame, Gap, Line, Picture, Scene, Stats
from leitstand.core.limits import PICTURES_PER_SEGMENT_MAX
from tests import weights
from tests.analysis.segments import Given, Segment, real

if TYPE_CHECKING:
    from leitstand.ports import Rgb

SECOND = 1_000_000
FAMILIES = ("detector", "face", "pose", "scene")


def vtest(from_s: int, to_s: int) -> Segment:
    pictures = []
    with av.open(str(weights.vtest_path())) as container:
        for frame in container.decode(video=0):
            time_us = round(frame.time * SECOND)
            if time_us >= to_s * SECOND:
                break
            if time_us >= from_s * SECOND:
                pictures.append((time_us, frame.to_ndarray(format="rgb24").astype(np.uint8)))
    return Segment(from_s * SECOND, to_s * SECOND, pictures)


def made(rate: float, seconds: float, from_us: int = 0) -> Segment:
    """Grey frames whose level is their number."""
    count = round(rate * seconds)
    pictures = [
        (from_us + round(n * SECOND / rate), np.full((32, 48, 3), n % 250, np.uint8))
        for n in range(count)
    ]
    return Segment(from_us, from_us + round(seconds * SECOND), pictures)


def person(score: float = 0.9, x: float = 0.0) -> Detection:
    return Detection((x, 0.0, x + 10.0, 30.0), "person", score)


def crowd(sizes: Sequence[int]) -> Given:
    """A detector that sees as many persons as the list says for the frame of that level."""
    return Given(lambda rgb: [person() for _ in range(sizes[int(rgb[0, 0, 0])])])


BLIND = Given(lambda rgb: [])
"""A model that sees nothing."""


def run(source: Segment, detector: Given, profile: str = "people") -> list[Line]:
    return list(
        video.run(profile, source, {"detector": detector, "face": BLIND}, lambda units: None)
    )


def frames_of(lines: Sequence[Line]) -> list[Frame]:
    return [line for line in lines if isinstance(line, Frame)]


def persons_per_frame(lines: Sequence[Line]) -> float:
    frames = frames_of(lines)
    seen = [d for f in frames for d in f.detections if d.label == "person" and d.score >= 0.35]
    return len(seen) / len(frames)


# --- real people ---------------------------------------------------------------------------------


def test_in_two_seconds_of_pedestrians_every_frame_shows_about_as_many_as_walk_there() -> None:
    lines = list(video.run("auto", vtest(0, 2), real(*FAMILIES), lambda units: None))
    assert len(frames_of(lines)) == 20
    assert 4 <= persons_per_frame(lines) <= 9
    posed = [d for f in frames_of(lines) for d in f.detections if d.keypoints]
    assert len(posed) >= 20
    (stats,) = [line for line in lines if isinstance(line, Stats)]
    assert (stats.pipeline, stats.units, stats.detected) == ("video", 20, 20)
    assert stats.pose_per_second is not None
    assert stats.pose_per_second > 0
    assert [line for line in lines if isinstance(line, Picture)]
    assert ("place", "outdoor") in {(s.kind, s.label) for s in lines if isinstance(s, Scene)}


@pytest.mark.full
def test_over_all_of_it_six_to_nine_persons_a_frame_on_average() -> None:
    counts = []
    for start in range(0, 80, 30):
        lines = list(
            video.run("people", vtest(start, start + 30), real("detector"), lambda units: None)
        )
        counts += [
            sum(d.label == "person" and d.score >= 0.35 for d in frame.detections)
            for frame in frames_of(lines)
        ]
    assert len(counts) == 795
    assert 6 <= float(np.mean(counts)) <= 9


def test_the_same_segment_gives_the_same_lines_apart_from_the_time_it_took() -> None:
    source = vtest(0, 1)
    runs = []
    for _ in range(2):
        lines = list(video.run("auto", source, real(*FAMILIES), lambda units: None))
        runs.append(
            [replace(x, pose_per_second=None) if isinstance(x, Stats) else x for x in lines]
        )
    assert runs[0] == runs[1]


def test_a_constant_detector_finds_nobody_in_the_street() -> None:
    from leitstand.models import detector
    from leitstand.ports import Device

    data = weights.constant_twin(weights.files_of("nanodet-g-416")["nanodet.onnx"])
    constant = detector.load({"constant.onnx": data}, Device())
    lines = run(vtest(0, 1), Given(lambda rgb: constant([rgb])[0]))
    assert persons_per_frame(lines) == 0


# --- which frames --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "looks_per_second"),
    [(5, 5), (10, 10), (15, 15), (30, 15), (60, 15), (25, 15), (29.97, 15)],
)
def test_fifteen_looks_a_second_or_all_frames_of_slower_video(
    rate: float, looks_per_second: int
) -> None:
    lines = run(made(rate, 4), crowd([0] * 250))
    assert abs(len(frames_of(lines)) - 4 * looks_per_second) <= 1
    (stats,) = [line for line in lines if isinstance(line, Stats)]
    assert stats.units == round(rate * 4)
    assert stats.detected == len(frames_of(lines))


def test_looks_lie_on_the_clock_of_the_medium_and_not_of_the_segment() -> None:
    whole = made(30, 4)
    half = Segment(2 * SECOND, 4 * SECOND, [p for p in whole.pictures if p[0] >= 2 * SECOND])
    times = [frame.time_us for frame in frames_of(run(whole, crowd([0] * 250)))]
    later = [frame.time_us for frame in frames_of(run(half, crowd([0] * 250)))]
    assert later == [time_us for time_us in times if time_us >= 2 * SECOND]


def test_frames_at_the_same_time_are_looked_at_once() -> None:
    grey = np.zeros((8, 8, 3), np.uint8)
    lines = run(Segment(0, SECOND, [(5, grey), (5, grey), (6, grey)]), crowd([0] * 250))
    assert [frame.time_us for frame in frames_of(lines)] == [5]


def test_frames_handed_to_models_are_not_overwritten_by_later_ones() -> None:
    lines = run(made(10, 2), crowd(list(range(250))))
    assert [len(frame.detections) for frame in frames_of(lines)] == list(range(20))


def test_several_groups_are_with_the_models_at_once_and_their_lines_keep_their_order() -> None:
    second = threading.Event()

    def late_first(rgb: Rgb) -> list[Detection]:
        number = int(rgb[0, 0, 0])
        if number == 0:
            assert second.wait(60), "nobody looked at a later group meanwhile"
        if number == video.GROUP:
            second.set()
        return [person()] * number

    lines = run(made(10, 2), Given(late_first))
    assert [len(frame.detections) for frame in frames_of(lines)] == list(range(20))


def test_what_a_model_raises_ends_the_segment() -> None:
    def bad(rgb: Rgb) -> list[Detection]:
        raise MemoryError

    with pytest.raises(MemoryError):
        run(made(10, 2), Given(bad))


def test_progress_counts_every_decoded_frame_once() -> None:
    seen: list[int] = []
    detector = crowd([0] * 250)
    list(video.run("people", made(30, 3), {"detector": detector}, seen.append))
    assert sum(seen) == 90


def test_a_segment_without_frames_is_told_as_such() -> None:
    lines = run(Segment(0, SECOND, [], lost=[(0, SECOND, "decode-failed")]), crowd([0]))
    assert lines == [Gap(0, SECOND, "decode-failed"), Stats("video", 0, 0)]


# --- poses and pictures --------------------------------------------------------------------------


def test_at_most_four_poses_a_frame_and_the_tallest_first() -> None:
    def seen(rgb: object) -> list[Detection]:
        return [
            Detection((0.0, 0.0, 20.0, 40.0 + 10 * n), "person", 0.9 - n / 100) for n in range(7)
        ]

    pose = Given(lambda item: tuple((1.0, 2.0, 0.5) for _ in range(17)))
    given = {"detector": Given(seen), "pose": pose}
    lines = list(video.run("people", made(10, 0.1), given, lambda units: None))
    (frame,) = frames_of(lines)
    posed = [d.box[3] for d in frame.detections if d.keypoints]
    assert posed == [70.0, 80.0, 90.0, 100.0]
    assert pose.asked == 4


def test_pictures_show_the_fullest_frame_of_each_stretch() -> None:
    sizes = [0] * 250
    sizes[30], sizes[31], sizes[120], sizes[200] = 1, 3, 2, 1
    lines = run(made(8, 30), crowd(sizes))
    pictures = [line.time_us for line in lines if isinstance(line, Picture)]
    assert pictures == [round(n * SECOND / 8) for n in (31, 120, 200)]


def test_a_short_segment_has_one_picture_and_a_long_one_no_more_than_allowed() -> None:
    for seconds, expected in ((3, 1), (8, 2), (30, 4), (200, PICTURES_PER_SEGMENT_MAX)):
        lines = run(made(2, seconds), crowd([1] * 250))
        assert len([line for line in lines if isinstance(line, Picture)]) == expected


def test_an_empty_street_still_has_a_picture() -> None:
    lines = run(made(10, 30), crowd([0] * 250))
    (picture,) = [line for line in lines if isinstance(line, Picture)]
    assert picture.time_us == 0


def test_surroundings_are_told_once_from_the_middle() -> None:
    given = {
        "detector": crowd([0] * 250),
        "scene": Given(lambda rgb: [("palace", 0.8), ("castle", 0.1)]),
    }
    lines = list(video.run("scene", made(10, 4), given, lambda units: None))
    scenes = [line for line in lines if isinstance(line, Scene)]
    assert [(s.kind, s.label, s.time_us) for s in scenes[:2]] == [
        ("label", "palace", 2 * SECOND),
        ("place", "outdoor", 2 * SECOND),
    ]
