"""Moving pictures come out of the sandbox as they are in the file, at their times."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor

import av
import decode_clips as clips
import numpy as np
import pytest

from leitstand.core.limits import RING_SLOTS
from leitstand.media import decode


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "matroska"),
        ("libx265", "matroska"),
        ("libvpx-vp9", "matroska"),
        ("libsvtav1", "matroska"),
        ("mpeg4", "avi"),
        ("libx264", "mp4"),
        ("mpeg2video", "mpegts"),
        ("mpeg4", "mov"),
    ],
)
def test_every_frame_comes_at_its_time_with_its_pixels(pictures, codec, container):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    got, gaps = pictures(clips.video(codec, container, options=options), container)
    assert [time for time, _, _ in got] == [n * 100_000 for n in range(30)]
    assert all(clips.near(rgb, clips.corners(shade=n), 5.0) for n, (_, rgb, _) in enumerate(got))
    assert {scale for _, _, scale in got} == {1.0}
    assert gaps == []


def test_pixels_are_those_of_decoding_without_a_sandbox(pictures):
    body = clips.video()
    got, _ = pictures(body)
    expected = clips.in_process(body, "matroska")
    assert len(got) == len(expected)
    for (_, rgb, _), (_, reference) in zip(got, expected, strict=True):
        assert np.array_equal(rgb, reference)


def test_times_of_a_segment_are_those_written_in_it(pictures):
    got, _ = pictures(clips.video(start=50, count=5))
    assert [time for time, _, _ in got] == [5_000_000 + n * 100_000 for n in range(5)]


def test_times_of_another_container_count_from_its_start(pictures):
    got, _ = pictures(clips.video("mpeg2video", "mpegts", start=50, count=5), "mpegts")
    assert [time for time, _, _ in got] == [n * 100_000 for n in range(5)]


def test_only_frames_of_the_interval_come(pictures):
    got, _ = pictures(clips.video(), from_us=500_000, to_us=1_200_000)
    assert [time for time, _, _ in got] == [n * 100_000 for n in range(5, 12)]


def test_large_frames_are_scaled_and_say_by_how_much(pictures):
    got, _ = pictures(clips.video(count=2), side_max=32)
    _, rgb, scale = got[0]
    assert rgb.shape == (21, 32, 3)
    assert scale == 3.0
    assert clips.near(rgb[:8, :12], np.full((8, 12, 3), clips.RED), 8)


def test_small_frames_are_not_enlarged(pictures):
    got, _ = pictures(clips.video(count=1, size=(32, 48)), side_max=1280)
    assert got[0][1].shape == (48, 32, 3)


@pytest.mark.parametrize("quarter", [0, 90, 180, 270])
@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_frames_are_turned_as_they_are_shown(pictures, quarter, container):
    body = clips.video(container=container, count=2, rotation=quarter)
    with av.open(io.BytesIO(body), format=container) as opened:
        told = next(opened.decode(video=0)).rotation
    assert told % 360 in (quarter, -quarter % 360)
    got, _ = pictures(body, container)
    assert clips.near(got[0][1], np.rot90(clips.corners(), told // 90), 5.0)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((-1, 0, 0, 0, 1, 0, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((1, 0, 0, 0, -1, 0, 0, 0, 1), lambda picture: picture[::-1]),
        ((0, 1, 0, 1, 0, 0, 0, 0, 1), lambda picture: picture.transpose(1, 0, 2)),
    ],
)
def test_mirrored_frames_are_mirrored_back(pictures, matrix, expected):
    fixed = [n << 16 for n in matrix[:8]] + [1 << 30]
    got, _ = pictures(clips.video(container="mp4", count=1, matrix=fixed), "mp4")
    assert clips.near(got[0][1], expected(clips.corners()), 5.0)


def test_a_picture_is_seen_in_place_and_cannot_be_written(zygote, memory):
    source = decode.frames(
        zygote,
        memory(clips.video(count=3)),
        "matroska",
        side_max=96,
        from_us=0,
        to_us=clips.FOREVER,
    )
    with source:
        frame = next(source)
        assert not frame.rgb.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            frame.rgb[0, 0] = 0
    assert clips.near(frame.rgb, clips.corners(), 5.0)


def test_more_frames_than_slots_come_in_order(pictures):
    got, _ = pictures(clips.video(count=10 * RING_SLOTS))
    assert [time for time, _, _ in got] == [n * 100_000 for n in range(10 * RING_SLOTS)]


def test_who_stops_early_leaves_nothing_behind(zygote, memory):
    descriptor = memory(clips.video(count=60))
    zygote.abilities()
    before = clips.open_descriptors()
    for _ in range(3):
        with decode.frames(
            zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=clips.FOREVER
        ) as source:
            next(source)
        assert list(source) == []
    assert clips.open_descriptors() == before


def test_several_segments_decode_at_once(zygote, memory):
    descriptor = memory(clips.video())

    def count(_):
        source = decode.frames(
            zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=clips.FOREVER
        )
        return [frame.time_us for frame in source]

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(count, range(12)))
    assert counts == [[n * 100_000 for n in range(30)]] * 12


# --- memory --------------------------------------------------------------------------------------


def test_what_was_sealed_cannot_be_changed():
    descriptor = decode.sealed_memfd([b"one", b"", b"two"])
    try:
        assert os.pread(descriptor, 10, 0) == b"onetwo"
        for attempt in (
            lambda: os.pwrite(descriptor, b"x", 0),
            lambda: os.ftruncate(descriptor, 1),
            lambda: os.ftruncate(descriptor, 100),
        ):
            with pytest.raises(PermissionError):
                attempt()
    finally:
        os.close(descriptor)


def test_nothing_stays_behind_when_the_source_fails():
    def chunks():
        yield b"half"
        raise RuntimeError("not authentic")

    before = clips.open_descriptors()
    with pytest.raises(RuntimeError, match="not authentic"):
        decode.sealed_memfd(chunks())
    assert clips.open_descriptors() == before
