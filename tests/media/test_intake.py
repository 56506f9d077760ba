"""Intake through the sandbox: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from clips import OPEN, SOUNDS, VIDEOS, WHOLE, Recipe, clip, picture
from PIL import Image

from leitstand.core.problem import Exit, Problem
from leitstand.media.channel import Message
from leitstand.media.intake import REFUSALS, CutSegment, Intake, IntakeLimits, take
from leitstand.media.zygote import ChildError, Zygote


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote.start() as started:
        yield started


class Taken:
    """An intake with all its segments."""

    def __init__(self, intake: Intake) -> None:
        self.facts = intake
        self.segments = list(intake.segments())

    def of(self, stream: str) -> list[CutSegment]:
        return [segment for segment in self.segments if segment.stream == stream]


def looked_at(zygote: Zygote, body: bytes, **limits: Any) -> Taken:
    descriptor = os.memfd_create("medium")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(body)
        with take(zygote, descriptor, len(body), IntakeLimits(**limits)) as intake:
            return Taken(intake)
    finally:
        os.close(descriptor)


def refused(zygote: Zygote, body: bytes, **limits: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        looked_at(zygote, body, **limits)
    assert caught.value.code in REFUSALS
    assert caught.value.exit == Exit.USAGE
    return caught.value


def jpeg(width: int = 400, height: int = 300, **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(picture(3, width, height)).save(sink, "JPEG", **options)
    return sink.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(9)))


def wave(seconds: float, rate: int = 16_000, declared: int | None = None) -> bytes:
    data = bytes(round(seconds * rate) * 2)
    size = len(data) if declared is None else declared
    head = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + head
        + b"data" + struct.pack("<I", size) + data
    )  # fmt: skip


# --- what comes out ------------------------------------------------------------------------------


def test_an_image_is_one_segment_of_its_own_bytes(zygote: Zygote) -> None:
    body = jpeg()
    taken = looked_at(zygote, body)
    assert (taken.facts.kind, taken.facts.mime) == ("image", "image/jpeg")
    assert taken.facts.sha256 == hashlib.sha256(body).hexdigest()
    assert taken.facts.technical["image"] | {"mode": "RGB"} == {
        "format": "JPEG", "width": 400, "height": 300, "mode": "RGB"
    }  # fmt: skip
    assert taken.segments == [CutSegment("image:0", 0, 0, 1, "image", body)]


def test_a_picture_lying_on_its_side_has_the_size_it_is_displayed_with(zygote: Zygote) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = looked_at(zygote, jpeg(exif=exif)).facts.technical["image"]
    assert (image["width"], image["height"], image["orientation"]) == (300, 400, 6)


def test_of_an_animation_the_first_picture_is_taken(zygote: Zygote) -> None:
    frames = [Image.fromarray(picture(n)) for n in range(3)]
    sink = io.BytesIO()
    frames[0].save(sink, "GIF", save_all=True, append_images=frames[1:])
    taken = looked_at(zygote, sink.getvalue())
    assert taken.facts.kind == "image"
    assert taken.facts.technical["image"]["frames"] == 3


def test_a_video_has_segments_of_pictures_and_of_sound_on_one_clock(zygote: Zygote) -> None:
    taken = looked_at(zygote, clip(VIDEOS["h264-open-gop"]), segment_seconds=1.0)
    assert (taken.facts.kind, taken.facts.mime) == ("video", "video/mp4")
    for stream in ("video:0", "audio:0"):
        segments = taken.of(stream)
        assert [segment.number for segment in segments] == [0, 1, 2]
        assert segments[0].from_us == 0
        assert segments[-1].to_us == 3_000_000
        assert {segment.format for segment in segments} == {"matroska"}
        assert taken.facts.proof[stream]["joins"] == 2
    assert taken.facts.technical["video"]["codec"] == "h264"
    assert taken.facts.technical["audio"]["sample_rate"] == 48_000
    assert taken.facts.technical["duration_s"] == 3.0
    assert taken.facts.gaps == []


def test_a_segment_opens_by_itself_and_is_on_the_mediums_clock(zygote: Zygote) -> None:
    last = looked_at(zygote, clip(VIDEOS["starts-late"]), segment_seconds=1.0).of("video:0")[-1]
    with av.open(io.BytesIO(last.body), format="matroska") as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert any(last.from_us <= time * 1_000_000 < last.to_us for time in times)
    assert max(times) < 4


def test_sound_alone_in_a_video_container_is_audio(zygote: Zygote) -> None:
    taken = looked_at(zygote, clip(SOUNDS["aac-m4a"]))
    assert (taken.facts.kind, taken.facts.mime) == ("audio", "audio/mp4")


def test_a_turned_video_has_the_size_it_is_displayed_with(zygote: Zygote) -> None:
    body = bytearray(clip(VIDEOS["h264-open-gop"]))
    one, turned = (
        struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
        struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30),
    )
    at = body.index(one, body.index(b"tkhd"))
    body[at : at + 36] = turned
    taken = looked_at(zygote, bytes(body))
    video = taken.facts.technical["video"]
    assert (video["width"], video["height"]) == (64, 96)
    assert video["rotation"] in (90, 270)
    with av.open(io.BytesIO(taken.of("video:0")[0].body), format="matroska") as container:
        assert next(container.decode(video=0)).rotation % 360 == video["rotation"]


def test_streams_that_are_not_analysed_are_named(zygote: Zygote) -> None:
    sink = io.BytesIO()
    with av.open(sink, "w", format="matroska") as output:
        streams = [output.add_stream("pcm_s16le", 8000, layout="mono") for _ in range(2)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, 0
            output.mux(stream.encode(frame))
    taken = looked_at(zygote, sink.getvalue())
    assert [other["kind"] for other in taken.facts.technical["not_analysed"]] == ["audio"]


def test_hours_of_silence_are_audio(zygote: Zygote) -> None:
    taken = looked_at(zygote, wave(2 * 3600, rate=1000))
    assert taken.facts.kind == "audio"
    assert taken.facts.technical["duration_s"] == 7200
    assert len(taken.segments) == 240
    assert taken.facts.proof["audio:0"]["exact"]


def test_sound_no_segment_can_hold_is_handed_on_as_the_file_it_is(zygote: Zygote) -> None:
    body = clip(Recipe("wav", None, "adpcm_ima_wav", seconds=4, sample_rate=8000))
    taken = looked_at(zygote, body, segment_seconds=1.0)
    (segment,) = taken.segments
    assert (segment.format, segment.body) == ("wav", body)
    assert (segment.from_us, taken.facts.proof["audio:0"]["windows"]) == (0, 0)
    assert refused(zygote, body, segment_bytes_max=len(body) - 1).code == "cannot-be-cut"


# --- damaged -------------------------------------------------------------------------------------


def test_of_a_film_that_ends_in_the_middle_the_rest_is_a_gap(zygote: Zygote) -> None:
    for recipe in (
        Recipe("mp4", options=OPEN, muxer={"moov_size": "20000"}),
        Recipe("matroska", options=OPEN),
        Recipe("avi", "mpeg4", group=12),
    ):
        body = clip(recipe)
        taken = looked_at(zygote, body[: len(body) * 2 // 3])
        (gap,) = taken.facts.gaps
        assert gap["reason"] == "truncated"
        assert gap["from_us"] == taken.of("video:0")[-1].to_us
        assert 500_000 < gap["from_us"] < 2_500_000
        assert gap["to_us"] == pytest.approx(3_000_000, abs=100_000)


def test_of_a_recording_that_ends_in_the_middle_the_rest_is_a_gap(zygote: Zygote) -> None:
    taken = looked_at(zygote, wave(2.0, declared=10 * 32_000))
    assert taken.facts.gaps == [
        {"stream": "audio:0", "from_us": 2_000_000, "to_us": 10_000_000, "reason": "truncated"}
    ]


@pytest.mark.parametrize("name", ["flac", "tta"])
def test_of_sound_counted_in_its_header_the_rest_is_a_gap(zygote: Zygote, name: str) -> None:
    body = clip({**SOUNDS, **WHOLE}[name])
    (gap,) = looked_at(zygote, body[: len(body) // 2]).facts.gaps
    assert (gap["stream"], gap["reason"]) == ("audio:0", "truncated")
    assert 2_000_000 < gap["from_us"] < 4_500_000
    assert gap["to_us"] == pytest.approx(6_000_000, abs=100_000)


def test_sound_whose_last_frame_no_segment_keeps_is_handed_on_whole(zygote: Zygote) -> None:
    body = clip(WHOLE["tta"])
    (segment,) = looked_at(zygote, body).segments
    assert (segment.format, segment.body, segment.to_us) == ("tta", body, 6_000_000)


@pytest.mark.parametrize("name", ["raw-ac3", "raw-eac3", "tta"])
def test_of_sound_too_short_to_decode_it_is_said_that_it_holds_none(
    zygote: Zygote, name: str
) -> None:
    assert refused(zygote, clip({**SOUNDS, **WHOLE}[name])[:300]).code == "no-sound"


def test_a_film_without_its_index_says_that_it_is_truncated(zygote: Zygote) -> None:
    body = clip(VIDEOS["h264-open-gop"])
    assert refused(zygote, body[: len(body) // 2]).code == "truncated-file"


def test_a_picture_that_ends_in_the_middle_is_taken_with_a_gap(zygote: Zygote) -> None:
    body = jpeg()
    taken = looked_at(zygote, body[: len(body) // 2])
    assert [gap["reason"] for gap in taken.facts.gaps] == ["truncated"]
    assert len(taken.segments) == 1


@pytest.mark.parametrize(
    ("format", "options", "known"),
    [
        ("JPEG", {"quality": 90}, True),
        ("JPEG", {"quality": 90, "progressive": True}, False),
        ("PNG", {}, True),
        ("TIFF", {}, True),
        ("BMP", {}, False),
    ],
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_of_a_picture_that_ends_in_the_middle_no_more_is_called_readable_than_was_read(
    zygote: Zygote, format: str, options: dict[str, Any], known: bool, share: float
) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (480, 320, 3), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).save(sink, format, **options)
    body = sink.getvalue()
    taken = looked_at(zygote, body[: int(len(body) * share)])
    assert [gap["reason"] for gap in taken.facts.gaps] == ["truncated"]
    readable = taken.facts.technical["image"].get("readable")
    assert readable is None if not known else share - 0.15 < readable <= share + 0.01


def test_damage_in_the_middle_loses_only_what_is_damaged(zygote: Zygote) -> None:
    body = bytearray(clip(VIDEOS["mpeg2-transport-stream"]))
    body[100_000:110_000] = os.urandom(10_000)
    taken = looked_at(zygote, bytes(body), segment_seconds=0.5)
    assert taken.facts.kind == "video"
    assert taken.of("video:0")[-1].to_us > 2_900_000


def mutated(random: random.Random, body: bytes) -> bytes:
    """The body with bytes changed, cut off, taken out or repeated."""
    out = bytearray(body)
    at, size = random.randrange(len(out)), random.randrange(1, 4000)
    match random.randrange(5):
        case 0:
            for _ in range(20):
                out[random.randrange(len(out))] = random.randrange(256)
        case 1:
            for _ in range(8):
                out[random.randrange(min(2000, len(out)))] = random.choice((0, 127, 128, 255))
        case 2:
            del out[max(1, at) :]
        case 3:
            del out[at : min(at + size, len(out) - 1)]
        case _:
            out[at:at] = out[:size]
    return bytes(out)


STOPPED = {"memory-limit"}
"""A damaged size may ask for more memory than the sandbox gives: that is no crash."""


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.full) for n in range(2, 60))]
)
def test_damaged_files_are_taken_refused_or_stopped_and_nothing_crashes(
    zygote: Zygote, seed: int
) -> None:
    chance, outcomes = random.Random(seed), set()
    bodies = [clip(recipe) for recipe in (*VIDEOS.values(), *SOUNDS.values())] + [jpeg()]
    for body in bodies:
        try:
            looked_at(zygote, mutated(chance, body), segment_seconds=0.5, margin_seconds=0.5)
        except Problem as problem:
            limit = problem.params.get("reason") == "memory-limit"
            outcomes.add("memory-limit" if limit else problem.code)
    assert outcomes <= REFUSALS | STOPPED


# --- refused -------------------------------------------------------------------------------------


def test_bad_input_is_refused_with_its_reason(zygote: Zygote) -> None:
    cases = {
        "empty-file": b"",
        "playlist": b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n/etc/passwd\n",
        "encrypted-file": b"age-encryption.org/v1\n-> X25519 x\n",
        "not-media": b"Dear Ann,\nhere is what we talked about yesterday.\n" * 9,
        "unreadable-media": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        "no-sound": wave(0),
    }
    assert {code: refused(zygote, body).code for code, body in cases.items()} == {
        code: code for code in cases
    }


def test_a_picture_of_200_megapixels_is_refused_by_its_header(zygote: Zygote) -> None:
    problem = refused(zygote, png_header(20_000, 10_000))
    assert problem.code == "too-many-pixels"
    assert problem.params["width"] == 20_000


def test_a_video_without_frames_is_refused(zygote: Zygote) -> None:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4", options={"movflags": "empty_moov"}) as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        output.start_encoding()
    assert refused(zygote, sink.getvalue()).code == "no-frames"


def test_frames_that_do_not_decode_are_no_frames(zygote: Zygote) -> None:
    recipe = Recipe("avi", "mpeg4", group=12)
    body = bytearray(clip(recipe))
    start, end = body.index(b"movi") + 4, body.rindex(b"idx1")
    at = start
    while at < end:
        size = struct.unpack_from("<I", body, at + 4)[0]
        body[at + 8 : at + 8 + size] = bytes(size)
        at += 8 + size + size % 2
    assert refused(zygote, bytes(body)).code == "no-frames"


def test_too_long_media_are_refused(zygote: Zygote) -> None:
    problem = refused(zygote, wave(20), seconds_max=10.0)
    assert problem.code == "too-long"
    assert problem.params["seconds"] == 20


def test_what_cannot_be_cut_and_is_too_large_is_refused(zygote: Zygote) -> None:
    body = clip(Recipe("mp4", group=1000, options={"x264-params": "scenecut=0:keyint=1000"}))
    problem = refused(zygote, body, segment_bytes_max=20_000)
    assert (problem.code, problem.params["stream"]) == ("cannot-be-cut", "video:0")


def test_a_picture_too_large_for_a_segment_is_refused(zygote: Zygote) -> None:
    assert refused(zygote, jpeg(), segment_bytes_max=5000).code == "image-too-large"


# --- a child that was taken over -----------------------------------------------------------------


class Liar:
    """A child that says what it likes."""

    def __init__(self, *messages: dict[str, Any] | ChildError) -> None:
        self._messages = messages
        self.closed = False
        self.abilities = {"landlock": True}

    def spawn(self, *_: object, **__: object) -> Liar:
        return self

    def messages(self) -> Iterator[Message]:
        for message in self._messages:
            if isinstance(message, ChildError):
                raise message
            yield Message(message, message.pop("body", b""))

    def close(self) -> None:
        self.closed = True


HEAD = {
    "type": "head", "kind": "audio", "mime": "audio/wav", "technical": {}, "exif": {}, "gaps": [],
    "proof": {}, "segments": 1,
}  # fmt: skip
SEGMENT = {
    "type": "segment", "stream": "audio:0", "number": 0, "from_us": 0, "to_us": 5,
    "format": "matroska", "body": b"x",
}  # fmt: skip


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [HEAD | {"kind": "program"}],
        [HEAD | {"mime": "text/html\r\nX: y"}],
        [HEAD | {"technical": []}],
        [HEAD | {"technical": {"a": "x" * 10_000_000}}],
        [HEAD | {"gaps": [{"stream": "audio:0"}]}],
        [HEAD, SEGMENT | {"number": 1}],
        [HEAD, SEGMENT | {"to_us": 0}],
        [HEAD, SEGMENT | {"to_us": 2**70}],
        [HEAD, SEGMENT | {"stream": "../x"}],
        [HEAD, SEGMENT | {"format": "a b"}],
        [HEAD, SEGMENT | {"body": b""}],
        [HEAD, SEGMENT | {"body": bytes(200)}],
        [HEAD | {"segments": 2}, SEGMENT],
        [HEAD | {"segments": 2}, SEGMENT, SEGMENT | {"number": 1, "from_us": 7, "to_us": 9}],
        [ChildError("crashed", signal=11)],
        [ChildError("empty-handed; drop table")],
    ],
)
def test_answers_without_the_agreed_form_are_not_believed(messages: list[Any]) -> None:
    liar: Any = Liar(*[dict(m) if isinstance(m, dict) else m for m in messages])
    descriptor = os.memfd_create("medium")
    os.write(descriptor, b"12345678")
    with pytest.raises(Problem) as caught:
        Taken(take(liar, descriptor, 8, IntakeLimits(segment_bytes_max=100)))
    os.close(descriptor)
    assert caught.value.code == "intake-died"
    assert caught.value.exit == Exit.FAILED


def test_refusals_carry_numbers_and_words_only() -> None:
    liar: Any = Liar(ChildError("playlist", entries=3, note="two words", kind="pls"))
    descriptor = os.memfd_create("medium")
    with pytest.raises(Problem) as caught:
        take(liar, descriptor, 8)
    os.close(descriptor)
    assert dict(caught.value.params) == {"entries": 3, "kind": "pls"}
    assert liar.closed
