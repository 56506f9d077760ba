"""Real media for tests, by path: fetched once, checked by digest, and never committed.

`python -m tests.media_fixtures` fetches what the tests look at, models included, so that the tests
themselves need no network. `python -m tests.media_fixtures demo` makes the media in `demo/` again.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests import weights

ROOT = Path(__file__).parent.parent
VTEST_SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
RATE = 16_000
FRAMES_PER_SECOND = 10
WIDTH, HEIGHT = 768, 576

LEAD_SECONDS = 2.0
PAUSE_SECONDS = 1.5
PEOPLE_SECONDS = 36.0


@dataclass(frozen=True)
class Utterance:
    """A sentence read aloud: its interval in the clip, in seconds, and its words in lower case.
    A tenth of a second or so at either end is breath."""

    from_s: float
    to_s: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class Composed:
    """A clip with people to see and sentences to hear, and when they are said."""

    path: Path
    seconds: float
    utterances: tuple[Utterance, ...]


def vtest() -> Path:
    """795 frames of pedestrians, 768 x 576, 10 a second: MPEG-4 in AVI, no sound."""
    return _checked(weights.vtest_path(), VTEST_SHA256)


def bus() -> Path:
    """A street with a bus and at least two persons near it."""
    return weights.picture_path("bus.jpg")


def astronaut() -> Path:
    """A portrait: one face."""
    return weights.picture_path("astronaut.png")


def people_with_speech() -> Composed:
    """The pedestrians of `vtest`, H.264, with five sentences laid under them, AAC: long enough for
    two segments, and one sentence lies over their border."""
    utterances, samples = _laid_out(weights.librivox(), LEAD_SECONDS, PEOPLE_SECONDS)
    path = weights.TEST_CACHE / "media" / "people-with-speech-1.mp4"
    if not path.is_file():
        frames = itertools.islice(_street(vtest()), round(PEOPLE_SECONDS * FRAMES_PER_SECOND))
        _whole(path, frames, samples, quality=23)
    return Composed(path, PEOPLE_SECONDS, utterances)


def _laid_out(
    clips: Sequence[tuple[Any, Sequence[str]]], lead_seconds: float, seconds: float
) -> tuple[tuple[Utterance, ...], Any]:
    """The clips one after the other with silence between them, and when each is."""
    samples = np.zeros(round(seconds * RATE), np.float32)
    utterances = []
    start = round(lead_seconds * RATE)
    for clip, words in clips:
        end = start + len(clip)
        assert end <= len(samples), "the clip is too short for the sentences"
        samples[start:end] = clip
        utterances.append(Utterance(start / RATE, end / RATE, tuple(words)))
        start = end + round(PAUSE_SECONDS * RATE)
    return tuple(utterances), samples


def _street(path: Path) -> Iterator[Any]:
    """Frames as RGB arrays."""
    with av.open(path) as source:
        for frame in source.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _portrait(seconds: float) -> Iterator[Any]:
    """A slow zoom into the astronaut."""
    with Image.open(astronaut()) as image:
        whole = image.convert("RGB")
    count = round(seconds * FRAMES_PER_SECOND)
    for index in range(count):
        height = whole.height * (1 - 0.25 * index / count)
        width = height * WIDTH / HEIGHT
        x0, y0 = max(0.0, 225 - width / 2), max(0.0, 130 - height / 3)
        x0, y0 = min(x0, whole.width - min(width, whole.width)), min(y0, whole.height - height)
        box = (x0, y0, x0 + min(width, whole.width), y0 + height)
        scaled = (round(HEIGHT * (box[2] - box[0]) / height), HEIGHT)
        canvas = Image.new("RGB", (WIDTH, HEIGHT))
        inside = whole.resize(scaled, Image.Resampling.BICUBIC, box=box)
        canvas.paste(inside, ((WIDTH - inside.width) // 2, 0))
        yield np.asarray(canvas)


def _whole(path: Path, frames: Iterable[Any], samples: Any | None, *, quality: int) -> None:
    """A finished MP4 at `path`, or none at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with av.open(partial, "w", format="mp4", options={"fflags": "+bitexact"}) as sink:
        video = sink.add_stream("libx264", rate=FRAMES_PER_SECOND)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": str(quality), "preset": "slow", "g": "50"}
        sound = None if samples is None else sink.add_stream("aac", rate=RATE, layout="mono")
        if sound is not None:
            sound.bit_rate = 48_000
        for number, pixels in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FRAMES_PER_SECOND)
            sink.mux(video.encode(picture))
        sink.mux(video.encode(None))
        if sound is not None:
            sink.mux(_encoded(sound, samples))
    partial.replace(path)


def _encoded(stream: Any, samples: Any) -> Iterator[Any]:
    pcm = (samples * 32767).clip(-32768, 32767).astype(np.int16)
    for start in range(0, len(pcm), 1024):
        frame = av.AudioFrame.from_ndarray(pcm[None, start : start + 1024], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _checked(path: Path, sha256: str) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == sha256, f"{path} is not the file that the tests were written for: {found}"
    return path


# --- the media in demo/ ----------------------------------------------------------------------------


def make_demo(folder: Path) -> None:
    """The four files that `make demo` analyses; `docs/third-party.md` says where they come from."""
    street = list(itertools.islice(_street(vtest()), 100))
    _whole(folder / "street.mp4", street, None, quality=29)
    with Image.open(astronaut()) as image:
        image.convert("RGB").save(folder / "astronaut.jpg", quality=90)
    clips = weights.librivox()
    with av.open(folder / "reading.flac", "w", format="flac") as sink:
        sink.mux(_encoded(sink.add_stream("flac", rate=RATE, layout="mono"), clips[0][0]))
    _, samples = _laid_out(clips[3:5], 1.0, 14.0)
    together = itertools.chain(_portrait(4.0), street)
    _whole(folder / "together.mp4", together, samples, quality=29)


def main(arguments: Sequence[str]) -> None:
    if list(arguments) == ["demo"]:
        make_demo(ROOT / "demo")
        return
    fetched: tuple[tuple[str, Callable[[], object]], ...] = (
        ("opencv-doc: pedestrians, 96 MB", vtest),
        ("ultralytics: a street, 1 MB", bus),
        ("scikit-image: a portrait, 14 MB", astronaut),
        ("a clip with people and speech, made here", people_with_speech),
        ("the default models, 500 MB", weights.models),
    )
    for title, fetch in fetched:
        sys.stdout.write(f"Media and models of the tests: {title}\n")
        sys.stdout.flush()
        fetch()


if __name__ == "__main__":
    main(sys.argv[1:])
