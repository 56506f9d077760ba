"""Sound comes out of the sandbox as mono at 16 kHz, at its time, with silence for what is lost."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import decode_clips as clips
import numpy as np
import pytest

from leitstand.media import decode


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
