"""Pictures and sound come out of the sandbox as they are in the file, at their times."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import decode_clips as clips
import numpy as np
import pytest
from PIL import Image

from leitstand.core.limits import PIXELS_MAX, RING_SLOTS
from leitstand.media import decode
from leitstand.media.damage import STRETCHES_MAX, Damage
from leitstand.media.decode import DecodeError
from leitstand.media.zygote import Zygote

FOREVER = 10**9


@pytest.fixture(scope="module")
def zygote():
    with Zygote.start() as started:
        yield started


@pytest.fixture
def memory():
    """Bytes to a sealed descriptor that is closed after the test."""
    opened = []

    def put(body):
        opened.append(decode.sealed_memfd([body]))
        return opened[-1]

    yield put
    for descriptor in opened:
        os.close(descriptor)


@pytest.fixture
def pictures(zygote, memory):
    """All pictures of a file as (time, copy, scale), and the gaps."""

    def take(body, format="matroska", *, side_max=640, from_us=0, to_us=FOREVER, **rest):
        source = decode.frames(
            zygote,
            memory(body),
            format,
            side_max=side_max,
            from_us=from_us,
            to_us=to_us,
            **rest,
        )
        return [(f.time_us, f.rgb.copy(), f.scale) for f in source], source.gaps

    return take


def open_descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def near(picture, expected, mean=3.0):
    return picture.shape == expected.shape and (
        np.abs(picture.astype(int) - expected.astype(int)).mean() < mean
    )


# --- video ---------------------------------------------------------------------------------------


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
    assert all(near(rgb, clips.corners(shade=n), 5.0) for n, (_, rgb, _) in enumerate(got))
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
    assert near(rgb[:8, :12], np.full((8, 12, 3), clips.RED), 8)


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
    assert near(got[0][1], np.rot90(clips.corners(), told // 90), 5.0)


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
    assert near(got[0][1], expected(clips.corners()), 5.0)


def test_a_picture_is_seen_in_place_and_cannot_be_written(zygote, memory):
    source = decode.frames(
        zygote, memory(clips.video(count=3)), "matroska", side_max=96, from_us=0, to_us=FOREVER
    )
    with source:
        frame = next(source)
        assert not frame.rgb.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            frame.rgb[0, 0] = 0
    assert near(frame.rgb, clips.corners(), 5.0)


def test_more_frames_than_slots_come_in_order(pictures):
    got, _ = pictures(clips.video(count=10 * RING_SLOTS))
    assert [time for time, _, _ in got] == [n * 100_000 for n in range(10 * RING_SLOTS)]


def test_who_stops_early_leaves_nothing_behind(zygote, memory):
    descriptor = memory(clips.video(count=60))
    zygote.abilities()
    before = open_descriptors()
    for _ in range(3):
        with decode.frames(
            zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=FOREVER
        ) as source:
            next(source)
        assert list(source) == []
    assert open_descriptors() == before


def test_several_segments_decode_at_once(zygote, memory):
    descriptor = memory(clips.video())

    def count(_):
        source = decode.frames(
            zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=FOREVER
        )
        return [frame.time_us for frame in source]

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(count, range(12)))
    assert counts == [[n * 100_000 for n in range(30)]] * 12


# --- damage --------------------------------------------------------------------------------------


def damaged_packets(body, chosen):
    """The same Matroska file with the payload of some packets overwritten."""
    with av.open(io.BytesIO(body), format="matroska") as container:
        packets = [bytes(p) for p in container.demux(video=0) if p.size]
    for number in chosen:
        at = body.index(packets[number])
        body = body[:at] + b"\xff" * len(packets[number]) + body[at + len(packets[number]) :]
    return body


def test_damage_in_the_middle_costs_its_own_time_and_is_booked(pictures):
    body = clips.video("libx264", options={"bf": "0", "x264-params": "keyint=5:scenecut=0"})
    got, gaps = pictures(damaged_packets(body, range(10, 13)))
    times = [time for time, _, _ in got]
    assert set(range(0, 1_000_000, 100_000)) <= set(times)
    assert set(range(1_500_000, 3_000_000, 100_000)) <= set(times)
    assert not {1_000_000, 1_100_000, 1_200_000} & set(times)
    assert len(gaps) == 1
    from_us, to_us, reason = gaps[0]
    assert reason == "unreadable"
    assert from_us == 1_000_000
    assert 1_300_000 <= to_us <= 1_500_000


def test_damage_at_the_end_reaches_to_the_end_of_the_segment(pictures):
    body = clips.video("libx264", options={"bf": "0", "x264-params": "keyint=5:scenecut=0"})
    got, gaps = pictures(damaged_packets(body, range(25, 30)), to_us=3_000_000)
    assert [time for time, _, _ in got] == list(range(0, 2_500_000, 100_000))
    assert gaps == [(2_500_000, 3_000_000, "unreadable")]


def test_damage_outside_the_interval_is_not_its_gap(pictures):
    body = clips.video("libx264", options={"bf": "0", "x264-params": "keyint=5:scenecut=0"})
    _, gaps = pictures(damaged_packets(body, range(25, 30)), from_us=0, to_us=1_000_000)
    assert gaps == []


def test_a_file_that_ends_in_the_middle_gives_what_is_there(pictures):
    body = clips.video(count=60, options={"x264-params": "keyint=5"})
    got, _ = pictures(body[: len(body) * 2 // 3])
    times = [time for time, _, _ in got]
    assert 10 < len(times) < 60
    assert times == [n * 100_000 for n in range(len(times))]


@pytest.mark.parametrize("format", ["matroska", "mp4", "image", "hls", "concat", "no-such-format"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 5000,
        bytes(range(256)) * 64,
        b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
)
def test_what_is_no_medium_is_an_answer(zygote, memory, format, body):
    source = decode.frames(zygote, memory(body), format, side_max=64, from_us=0, to_us=FOREVER)
    with pytest.raises(DecodeError, match="unreadable"):
        list(source)
    with pytest.raises(DecodeError, match="unreadable"):
        decode.audio(zygote, memory(body), format)


def test_a_stream_that_is_not_there_is_an_answer(pictures, zygote, memory):
    with pytest.raises(DecodeError, match="unreadable"):
        pictures(clips.video(count=1), stream_index=1)
    with pytest.raises(DecodeError, match="unreadable"):
        decode.audio(zygote, memory(clips.video(count=1)), "matroska")


def test_the_book_of_damage_stays_small_and_loses_no_time():
    damage = Damage()
    for number in range(3 * STRETCHES_MAX):
        damage.hit(number * 10)
        damage.good(number * 10 + 5)
    gaps = damage.gaps(0, FOREVER, "unreadable")
    assert len(gaps) <= STRETCHES_MAX
    assert gaps[0][0] == 0
    assert gaps[-1][1] == 30 * STRETCHES_MAX - 5


# --- a decoder that was taken over ---------------------------------------------------------------

GOOD = {"slot": 0, "time_us": 0, "width": 2, "height": 2, "scale": 1.0}


@pytest.fixture(scope="module")
def taken_over():
    """One zygote whose decoder does what the request's `format` says."""
    with Zygote.start({"decode_frames": "hostile_roles:lie"}) as started:
        yield started


@pytest.mark.parametrize(
    "said",
    [
        {"slot": RING_SLOTS},
        {"slot": -1},
        {"slot": "0"},
        {"width": 65},
        {"height": 0},
        {"height": 10**12},
        {"width": 1.5},
        {"time_us": -1},
        {"time_us": FOREVER},
        {"time_us": None},
        {"scale": 0},
        {"scale": "1"},
        {"scale": float("inf")},
        {"scale": float("nan")},
    ],
)
def test_what_a_decoder_says_is_checked(taken_over, memory, said):
    def first(head):
        return next(
            decode.frames(
                taken_over, memory(b"x"), json.dumps(head), side_max=64, from_us=0, to_us=FOREVER
            )
        )

    assert first(GOOD).rgb.shape == (2, 2, 3)
    with pytest.raises(DecodeError, match="decoder-failed"):
        first({**GOOD, **said})


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"gaps": "many"},
        {"gaps": [[0, 1]]},
        {"gaps": [[1, 0, "unreadable"]]},
        {"gaps": [[0, 1, "Erika was here"]]},
        {"gaps": [[0, 1, "unreadable"]] * 2000},
    ],
)
def test_what_a_decoder_reports_at_the_end_is_checked(memory, result):
    with Zygote.start({"decode_frames": "hostile_roles:lie_at_the_end"}, preload=()) as zygote:
        source = decode.frames(
            zygote, memory(b"x"), json.dumps(result), side_max=64, from_us=0, to_us=FOREVER
        )
        with pytest.raises(DecodeError, match="decoder-failed"):
            list(source)


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("crash", "decoder-failed"),
        ("garbage", "decoder-failed"),
        ("leave", "decoder-failed"),
        ("fail", "decoder-failed"),
        ("swallow_at_once", "decoder-limit"),
    ],
)
def test_a_decoder_that_dies_is_an_answer(memory, role, code):
    roles = {"decode_frames": f"hostile_roles:{role}", "decode_audio": f"hostile_roles:{role}"}
    with Zygote.start(roles, preload=()) as zygote:
        source = decode.frames(zygote, memory(b"x"), "image", side_max=64, from_us=0, to_us=1)
        with pytest.raises(DecodeError, match=code):
            next(source)
        with pytest.raises(DecodeError, match=code):
            decode.audio(zygote, memory(b"x"), "matroska")
        assert all(zygote.abilities().values())


def test_a_decoder_that_the_kernel_ends_is_not_the_mediums_fault(zygote, memory):
    descriptor = memory(clips.video(count=60))
    source = decode.frames(zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=FOREVER)
    next(source)
    (child,) = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    with pytest.raises(OSError, match="ended from outside"):
        list(source)


# --- pictures ------------------------------------------------------------------------------------


def saved(image, format="PNG", **options):
    sink = io.BytesIO()
    image.save(sink, format, **options)
    return sink.getvalue()


@pytest.fixture
def picture(pictures):
    """The one picture of an image file."""

    def take(body, **options):
        got, gaps = pictures(body, "image", to_us=1, **options)
        assert [time for time, _, _ in got] == [0]
        assert gaps == []
        return got[0][1], got[0][2]

    return take


UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: np.rot90(p, 1),
}
"""EXIF 2.32, 4.6.4 A, Orientation: what is done to the stored picture to show it."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb, _ = picture(saved(Image.fromarray(clips.corners()), "JPEG", exif=exif, quality=95))
    assert near(rgb, UPRIGHT[orientation](clips.corners()), 5.0)


def test_a_large_picture_is_scaled_and_says_by_how_much(picture):
    rgb, scale = picture(saved(Image.fromarray(clips.corners(960, 640)), "JPEG"), side_max=240)
    assert rgb.shape == (160, 240, 3)
    assert scale == 4.0
    assert near(rgb, clips.corners(240, 160), 4.0)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_every_picture_format_of_intake_is_read(picture, format):
    rgb, _ = picture(saved(Image.fromarray(clips.corners()), format))
    assert near(rgb, clips.corners(), 6.0)


def flat(mode, colour):
    return Image.new(mode, (8, 4), colour)


def deep(values):
    return Image.fromarray(np.full((4, 8), *values))


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (flat("RGB", (10, 200, 30)), "PNG", (10, 200, 30)),
        (flat("L", 90), "PNG", (90, 90, 90)),
        (flat("1", 1), "PNG", (255, 255, 255)),
        (flat("RGBA", (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (flat("RGBA", (255, 0, 0, 128)), "PNG", (255, 127, 127)),
        (flat("LA", (0, 128)), "PNG", (127, 127, 127)),
        (flat("CMYK", (255, 0, 0, 0)), "JPEG", (0, 255, 255)),
        (deep((32896, np.uint16)), "PNG", (128, 128, 128)),
        (deep((65535, np.uint16)), "TIFF", (255, 255, 255)),
        (deep((0.5, np.float32)), "TIFF", (128, 128, 128)),
        (deep((60000, np.int32)), "TIFF", (233, 233, 233)),
    ],
)
def test_every_mode_becomes_rgb_on_white(picture, image, format, expected):
    rgb, _ = picture(saved(image, format))
    assert rgb.shape == (4, 8, 3)
    assert np.abs(rgb.astype(int) - expected).max() <= 3


def test_a_palette_with_transparency_is_laid_on_white(picture):
    image = Image.new("P", (8, 4), 1)
    image.putpalette([0, 0, 0, 250, 10, 10])
    rgb, _ = picture(saved(image, transparency=1))
    assert np.array_equal(rgb, np.full((4, 8, 3), 255))


def png_header(width, height):
    """A PNG that says it is large and holds next to nothing."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 10_000), (PIXELS_MAX + 1, 1), (2**31 - 1, 2**31 - 1)])
def test_a_picture_above_the_limit_is_refused_by_its_header(zygote, memory, size):
    source = decode.frames(
        zygote, memory(png_header(*size)), "image", side_max=64, from_us=0, to_us=1
    )
    with pytest.raises(DecodeError) as caught:
        next(source)
    assert caught.value.code in ("decoder-limit", "unreadable")
    if size[0] < 2**31 - 1:
        assert caught.value.code == "decoder-limit"


@pytest.mark.full
@pytest.mark.parametrize(
    ("mode", "colour", "format"),
    [
        ("RGBA", (255, 0, 0, 128), "PNG"),
        ("P", 5, "PNG"),
        ("CMYK", (9, 9, 9, 9), "TIFF"),
        ("I;16", 999, "PNG"),
    ],
)
def test_the_largest_picture_allowed_fits_into_the_sandbox(picture, mode, colour, format):
    side = int(PIXELS_MAX**0.5)
    rgb, scale = picture(saved(Image.new(mode, (side, side), colour), format), side_max=1280)
    assert rgb.shape == (1280, 1280, 3)
    assert scale == pytest.approx(side / 1280)


def test_a_truncated_picture_comes_as_far_as_it_goes_and_is_booked(pictures):
    noise = np.random.default_rng(7).integers(0, 255, (200, 200, 3), np.uint8)
    body = saved(Image.fromarray(noise), "JPEG", quality=90)
    got, gaps = pictures(body[: len(body) // 2], "image", to_us=1)
    assert got[0][1].shape == (200, 200, 3)
    assert got[0][1][:50].std() > 20
    assert gaps == [(0, 1, "truncated")]


# --- sound ---------------------------------------------------------------------------------------


def loudest_hertz(samples):
    return np.argmax(np.abs(np.fft.rfft(samples))) * 16_000 / len(samples)


@pytest.mark.parametrize(
    ("codec", "container", "rate"),
    [
        ("pcm_s16le", "matroska", 44100),
        ("pcm_s16le", "wav", 8000),
        ("aac", "matroska", 44100),
        ("libopus", "matroska", 48000),
        ("flac", "flac", 96000),
        ("libmp3lame", "mp3", 44100),
    ],
)
def test_sound_becomes_mono_at_16_khz(zygote, memory, codec, container, rate):
    body = clips.sound(clips.sine(440, 2, rate), codec, container, rate)
    gaps = []
    start_us, samples = decode.audio(zygote, memory(body), container, gaps=gaps)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert start_us == 0
    assert abs(len(samples) - 32_000) < 1200
    assert loudest_hertz(samples) == pytest.approx(440, abs=1)
    assert samples[8000:24000].std() == pytest.approx(0.354, abs=0.02)
    assert gaps == []


def test_sound_of_a_segment_starts_at_the_time_written_in_it(zygote, memory):
    body = clips.sound(clips.sine(440, 1), start=44100 * 7)
    start_us, samples = decode.audio(zygote, memory(body), "matroska")
    assert start_us == 7_000_000
    assert len(samples) == 16_000


def test_a_hole_in_the_sound_is_silence_and_moves_nothing(zygote, memory):
    first, second = clips.sine(440, 2.0), clips.sine(880, 1.0)
    moved = 44 * 1024  # whole packets
    body = clips.sound(np.concatenate([first[:moved], second]), hole=(moved, 44100))
    _, samples = decode.audio(zygote, memory(body), "matroska")
    join = moved * 16_000 // 44_100
    assert abs(len(samples) - (join + 32_000)) < 50
    assert np.abs(samples[join + 100 : join + 15_900]).max() < 1e-3
    assert loudest_hertz(samples[: join - 100]) == pytest.approx(440, abs=2)
    assert loudest_hertz(samples[join + 16_100 :]) == pytest.approx(880, abs=2)


def test_damage_in_the_sound_is_silence_and_is_booked(zygote, memory):
    body = clips.sound(clips.sine(440, 3), "flac", "matroska")
    with av.open(io.BytesIO(body), format="matroska") as container:
        packets = [(p.pts * p.time_base, bytes(p)) for p in container.demux(audio=0) if p.size]
    chosen = packets[len(packets) // 2 : len(packets) // 2 + 3]
    for _, packet in chosen:
        at = body.index(packet)
        body = body[:at] + b"\xff" * len(packet) + body[at + len(packet) :]
    gaps = []
    start_us, samples = decode.audio(zygote, memory(body), "matroska", gaps=gaps)
    assert start_us == 0
    assert abs(len(samples) - 48_000) < 50
    assert len(gaps) == 1
    assert gaps[0][2] == "unreadable"
    assert abs(gaps[0][0] - chosen[0][0] * 1_000_000) < 2000
    middle = (gaps[0][0] + gaps[0][1]) // 2 * 16_000 // 1_000_000
    assert np.abs(samples[middle - 100 : middle + 100]).max() < 1e-3


def test_sound_beside_pictures_is_found(zygote, memory):
    sink = io.BytesIO()
    with av.open(sink, "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = output.add_stream("pcm_s16le", rate=16000, layout="mono")
        frame = av.VideoFrame.from_ndarray(clips.corners(), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 10)
        output.mux(video.encode(frame))
        tone = (clips.sine(440, 1, 16000) * 32767).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = 16000, 0
        output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    start_us, samples = decode.audio(zygote, memory(sink.getvalue()), "matroska")
    assert (start_us, len(samples)) == (0, 16_000)


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

    before = open_descriptors()
    with pytest.raises(RuntimeError, match="not authentic"):
        decode.sealed_memfd(chunks())
    assert open_descriptors() == before
