"""The cut: what segments own decodes as the original did, whatever the container and codec."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from clips import SOUNDS, VIDEOS, clip, demuxer, names
from hypothesis import given
from hypothesis import strategies as st

from leitstand.media import cut, index, matroska, proof
from leitstand.media.source import Source, first_audio, first_video, open_container

# --- by decoding ---------------------------------------------------------------------------------


def indexed(source: Source, format: str) -> list[index.Index]:
    found = []
    for name, first in (("video:0", first_video), ("audio:0", first_audio)):
        with open_container(source, format) as container:
            stream = first(container)
            if stream is not None:
                found.append(index.read_index(container, stream, name))
    return found


def plan(
    one: index.Index, clock: index.Clock, seconds: float
) -> tuple[list[cut.Part], list[cut.Border]]:
    if one.is_video:
        places = cut.borders(one, clock)
        return cut.plan_video(one, clock, places, seconds=seconds), places
    return cut.plan_audio(one, clock, seconds=seconds, margin_seconds=1.0), []


def pictures(body: bytes, format: str) -> list[tuple[Fraction, str]]:
    """Time and hash of every frame, by the plainest decoder loop."""
    out = []
    with av.open(Source.of(body).file(), format=format) as container:
        for frame in container.decode(container.streams.video[0]):
            planes = hashlib.sha256(np.ascontiguousarray(frame.to_ndarray()).tobytes())
            out.append((frame.pts * Fraction(frame.time_base), planes.hexdigest()))
    return out


def owned_pictures(body: bytes, format: str, seconds: float) -> tuple[list[Any], int]:
    """Time and hash of what each segment owns, in order, and how many segments there are."""
    source = Source.of(body)
    found = indexed(source, format)
    zero = min(shown for one in found if (shown := one.first_shown()) is not None)
    video = found[0]
    clock = index.Clock.of(video, zero)
    parts, _ = plan(video, clock, seconds)
    owned = []
    for part, segment in cut.bodies(source, format, video, clock, parts):
        for time, digest in pictures(segment, "matroska"):
            if part.from_us <= time * index.US < part.to_us:
                owned.append((time + zero, digest))
    return owned, len(parts)


@pytest.mark.parametrize("name", names())
def test_segments_decode_to_the_frames_of_the_original(name: str) -> None:
    recipe = VIDEOS[name]
    body = clip(recipe)
    original = pictures(body, demuxer(recipe))
    owned, count = owned_pictures(body, demuxer(recipe), 1.0)
    assert count >= 2
    assert [digest for _, digest in owned] == [digest for _, digest in original]
    tick = Fraction(index.VIDEO_TICK_NS, matroska.NS)
    assert all(
        abs(copy - time) <= tick / 2 for (copy, _), (time, _) in zip(owned, original, strict=True)
    )


@pytest.mark.full
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.7, 30.0])
@pytest.mark.parametrize(("group", "b_frames"), [(5, 0), (12, 2), (50, 3)])
def test_every_way_to_cut_keeps_every_frame(
    name: str, seconds: float, group: int, b_frames: int
) -> None:
    import dataclasses

    b_frames = b_frames if VIDEOS[name].b_frames else 0
    recipe = dataclasses.replace(VIDEOS[name], group=group, b_frames=b_frames, frames=110)
    body = clip(recipe)
    owned, _ = owned_pictures(body, demuxer(recipe), seconds)
    assert [d for _, d in owned] == [d for _, d in pictures(body, demuxer(recipe))]


@pytest.mark.parametrize("name", [*SOUNDS, *names("hevc-open-gop", "av1", "variable-frame-rate")])
def test_the_proof_holds_for_every_stream(name: str) -> None:
    recipe = {**VIDEOS, **SOUNDS}[name]
    source = Source.of(clip(recipe))
    found = indexed(source, demuxer(recipe))
    zero = min(shown for one in found if (shown := one.first_shown()) is not None)
    for one in found:
        clock = index.Clock.of(one, zero)
        parts, places = plan(one, clock, 1.0)
        verdict = proof.prove(source, demuxer(recipe), one, clock, parts, places)
        assert verdict.holds
        assert verdict.facts["joins"] == len(parts) - 1
        assert verdict.facts["exact"] or not one.is_video


@pytest.mark.parametrize("name", ["pcm-wav", "flac", "mp3", "opus-ogg"])
def test_samples_of_segments_are_those_of_the_original(name: str) -> None:
    recipe = SOUNDS[name]
    source = Source.of(clip(recipe))
    (sound,) = indexed(source, demuxer(recipe))
    clock = index.Clock.of(sound, sound.first_shown() or Fraction(0))
    parts, _ = plan(sound, clock, 1.0)
    verdict = proof.prove(source, demuxer(recipe), sound, clock, parts)
    assert verdict.facts["exact"]
    assert verdict.facts["samples"] == recipe.sample_rate * (recipe.seconds or 0)


def test_the_proof_notices_a_lost_frame() -> None:
    recipe = VIDEOS["h264-open-gop"]
    source = Source.of(clip(recipe))
    video = indexed(source, "mp4")[0]
    clock = index.Clock.of(video, video.first_shown() or Fraction(0))
    places = cut.borders(video, clock)
    parts = cut.plan_video(video, clock, places, seconds=1.0)
    short = [cut.Part(p.number, p.from_us, p.to_us, p.first, p.own_stop, p.own_stop) for p in parts]
    assert not proof.prove(source, "mp4", video, clock, short, places).holds


def test_long_media_are_proved_at_sampled_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof.limits, "WHOLE_PROOF_SECONDS", 1.0)
    monkeypatch.setattr(proof, "WINDOW_US", 200_000)
    recipe = VIDEOS["mpeg2-transport-stream"]
    source = Source.of(clip(recipe))
    for one in indexed(source, "mpegts"):
        clock = index.Clock.of(one, one.first_shown() or Fraction(0))
        parts, places = plan(one, clock, 0.4)
        verdict = proof.prove(source, "mpegts", one, clock, parts, places)
        assert verdict.holds
        assert verdict.facts["windows"] == 4
        assert 0 < verdict.facts.get("frames", 1) < 75


def test_hidden_lead_in_of_an_edit_list_stays_before_time_zero() -> None:
    owned, _ = owned_pictures(clip(VIDEOS["edit-list"]), "mp4", 1.0)
    assert owned[0][0] == 0
    assert len(owned) == 62


def test_the_same_bytes_give_the_same_segments() -> None:
    source = Source.of(clip(VIDEOS["h264-open-gop"]))
    video = indexed(source, "mp4")[0]
    clock = index.Clock.of(video, Fraction(0))
    parts, _ = plan(video, clock, 1.0)
    one, two = (
        [body for _, body in cut.bodies(source, "mp4", video, clock, parts)] for _ in range(2)
    )
    assert one == two


def test_cover_art_is_not_video() -> None:
    import io

    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as output:
        picture = output.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
        picture.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(64, 48, "yuvj420p")
        for packet in [*picture.encode(frame), *picture.encode()]:
            output.mux(packet)
    with open_container(Source.of(sink.getvalue()), "mp4") as container:
        assert first_video(container) is None


# --- by arithmetic -------------------------------------------------------------------------------


def made_index(pts: list[int], keys: set[int], sizes: list[int] | None = None) -> index.Index:
    made = index.Index("video:0", 0, Fraction(1, 90_000), 0)
    made.pts = array("q", pts)
    made.durations = array("q", [3003] * len(pts))
    made.sizes = array("l", sizes or [1000] * len(pts))
    made.flags = bytearray(index.KEY if n in keys else 0 for n in range(len(pts)))
    return made


@st.composite
def streams(draw: st.DrawFn) -> index.Index:
    """Groups of pictures with any spacing, open or closed, in decode order."""
    pts: list[int] = []
    keys: set[int] = set()
    time = draw(st.integers(0, 10**6))
    for _ in range(draw(st.integers(1, 8))):
        leading = draw(st.integers(0, 3)) if pts else 0
        trailing = draw(st.integers(0, 6))
        steps = draw(st.lists(st.integers(1, 9000), min_size=leading + trailing + 1, max_size=10))
        times = []
        for n in range(leading + trailing + 1):
            time += steps[n % len(steps)]
            times.append(time)
        keys.add(len(pts))
        pts += [times[leading], *times[:leading], *times[leading + 1 :]]
    return made_index(pts, keys)


@given(streams(), st.floats(0.01, 1.0))
def test_every_frame_belongs_to_exactly_one_segment(one: index.Index, seconds: float) -> None:
    clock = index.Clock.of(one, one.first_shown() or Fraction(0))
    parts = cut.plan_video(one, clock, cut.borders(one, clock), seconds=seconds)
    assert parts[0].from_us == 0
    assert all(a.to_us == b.from_us for a, b in itertools.pairwise(parts))
    for position, pts in enumerate(one.pts):
        exact = clock.exact(pts)
        rounded = clock.ticks(exact) * clock.tick
        for time in (exact, rounded):
            owners = [
                part
                for part in parts
                if clock.from_us(part.from_us) <= time < clock.from_us(part.to_us)
            ]
            assert len(owners) == 1
            assert owners[0].first <= position < owners[0].stop


@given(streams())
def test_a_segment_begins_with_a_key_frame_and_ends_behind_what_is_shown_before_the_next(
    one: index.Index,
) -> None:
    clock = index.Clock.of(one, one.first_shown() or Fraction(0))
    parts = cut.plan_video(one, clock, cut.borders(one, clock), seconds=0.05)
    for part, following in itertools.pairwise(parts):
        assert one.flags[part.first] & index.KEY
        assert part.stop > following.first
        border = clock.from_us(following.from_us)
        behind = [clock.exact(pts) for pts in one.pts[part.stop :]]
        assert all(time >= border for time in behind)


@given(
    st.integers(1, 40_000_000),
    st.floats(0.5, 60.0),
    st.sampled_from([Fraction(1, 48_000), Fraction(1, 1000), Fraction(1, 90_000)]),
)
def test_audio_segments_tile_the_time_line_and_carry_their_margins(
    length_us: int, seconds: float, base: Fraction
) -> None:
    sound = index.Index("audio:0", 0, base, 48_000)
    step = round(Fraction(1024, 48_000) / base)
    count = max(1, int(Fraction(length_us, 1_000_000) / base / step))
    sound.pts = array("q", range(0, count * step, step))
    sound.durations = array("q", [step] * count)
    sound.sizes = array("l", [300] * count)
    sound.flags = bytearray([index.KEY] * count)
    clock = index.Clock.of(sound, Fraction(0))
    parts = cut.plan_audio(sound, clock, seconds=seconds)
    assert parts[0].from_us == 0
    assert all(a.to_us == b.from_us for a, b in itertools.pairwise(parts))
    for part in parts:
        begins = clock.floor_us(clock.exact(sound.pts[part.first]))
        assert part.first == 0 or begins <= part.from_us - 15_000_000
        if part.stop < count:
            assert clock.floor_us(clock.exact(sound.pts[part.stop])) >= part.to_us + 14_999_999


def test_no_segment_is_above_the_size_limit() -> None:
    one = made_index(list(range(0, 3003 * 100, 3003)), set(range(0, 100, 5)), [10_000] * 100)
    clock = index.Clock.of(one, Fraction(0))
    parts = cut.plan_video(one, clock, cut.borders(one, clock), seconds=30, bytes_max=200_000)
    assert len(parts) > 8
    assert all(sum(one.sizes[p.first : p.stop]) <= 200_000 for p in parts)


def test_a_group_of_pictures_above_the_size_limit_cannot_be_cut() -> None:
    one = made_index(list(range(0, 3003 * 100, 3003)), {0}, [10_000] * 100)
    clock = index.Clock.of(one, Fraction(0))
    with pytest.raises(cut.TooLarge):
        cut.plan_video(one, clock, cut.borders(one, clock), bytes_max=200_000)


def test_frames_that_share_a_tick_are_never_parted() -> None:
    one = made_index([0, 3000, 3000, 6000], {0, 2})
    clock = index.Clock.of(one, Fraction(0))
    assert cut.borders(one, clock) == []
