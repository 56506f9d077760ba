"""What is damaged, and a decoder that was taken over, cost their own time and nothing more."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import av
import decode_clips as clips
import pytest

from leitstand.core.limits import RING_SLOTS
from leitstand.media import decode
from leitstand.media.damage import STRETCHES_MAX, Damage
from leitstand.media.decode import DecodeError
from leitstand.media.zygote import Zygote

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
    source = decode.frames(
        zygote, memory(body), format, side_max=64, from_us=0, to_us=clips.FOREVER
    )
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
    gaps = damage.gaps(0, clips.FOREVER, "unreadable")
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
        {"time_us": clips.FOREVER},
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
                taken_over,
                memory(b"x"),
                json.dumps(head),
                side_max=64,
                from_us=0,
                to_us=clips.FOREVER,
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
            zygote, memory(b"x"), json.dumps(result), side_max=64, from_us=0, to_us=clips.FOREVER
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
    source = decode.frames(
        zygote, descriptor, "matroska", side_max=96, from_us=0, to_us=clips.FOREVER
    )
    next(source)
    (child,) = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    with pytest.raises(OSError, match="ended from outside"):
        list(source)
