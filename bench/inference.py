"""Frames per second of decode and detect on this machine's cores, against what they could do at most.

The same segments, the same model file and the same findings, by hash, on three sides:

- ours: the worker's path. A sandboxed child decodes into shared memory, the pipeline `video` looks
  at every frame through the worker's shared model.
- two threads: a decoder and a detector in one process, a queue between them; no sandbox, no
  pictures for a report.
- the bound: cores / (CPU seconds per frame of decoding + of detecting), each measured alone at the
  beginning and the end of the round, in the cheapest way we know: in this process, one thread, no
  copy. A share above 1.00 is a bug of this bench.

Following people from frame to frame is done once for a whole medium, when its segments are in; its
CPU time per frame is measured here too and quoted as a share of the bound's.
"""

# ruff: noqa: E402 - the folder of the repository must be on the module path first

from __future__ import annotations

import hashlib
import io
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)

import av
import psutil
from bench.measure.bounds import CpuBound, ratio
from bench.measure.rounds import Figures, Spread, counted, play, summary, write
from tests import media_fixtures, weights
from tests.analysis.documents import follow

from leitstand.analysis import video
from leitstand.analysis.look import look
from leitstand.analysis.track import step_of
from leitstand.core.finding import Frame, encode
from leitstand.core.limits import FRAME_SIDE_MAX
from leitstand.core.model import ModelVersion
from leitstand.host.facts import cores
from leitstand.media import intake
from leitstand.media.decode import sealed_memfd
from leitstand.media.intake import CutSegment
from leitstand.media.moving import Scaler
from leitstand.media.zygote import Zygote
from leitstand.models import detector
from leitstand.ports import Device, VideoFrame
from leitstand.worker.infer import Sessions
from leitstand.worker.lease import Lease, Segment
from leitstand.worker.live import LiveAttempt
from leitstand.worker.source import DecodedSegment
from leitstand.worker.stages import Stages

SECONDS = 120.0
SEGMENTS = 1
QUEUE_MAX = 8
MODEL = "nanodet-g-416"


class Bench:
    """The work, and each way to do it once."""

    def __init__(self, zygote: Zygote) -> None:
        self._zygote = zygote
        self._segments = _cut(zygote, media_fixtures.vtest())[:SEGMENTS]
        self._files = weights.files_of(MODEL)
        self._version: ModelVersion = weights.Catalogue.load().get(MODEL).version
        self._alone = detector.load(self._files, Device(threads=1))
        self._many = detector.load(self._files, Device(threads=cores()))
        self._sessions = Sessions(Device(threads=cores()), time.monotonic)
        self._pictures = [frame for each in self._segments for frame in _pictures(each)]
        self.frames: list[Frame] = look(self._pictures, {"detector": _named(self._alone)}, 0)
        self.digest = _digest(self.frames)

    @property
    def count(self) -> int:
        return len(self._pictures)

    def parts(self) -> Figures:
        """CPU seconds per frame of each part alone."""
        decode = _cpu(lambda: sum(1 for each in self._segments for _ in _pictures(each)))
        some = self._pictures[:: max(1, self.count // 100)]
        infer = _cpu(lambda: [self._alone([picture.rgb]) for picture in some])
        return {"decode": decode / self.count, "infer": infer / len(some)}

    def ours(self) -> Figures:
        """The worker's path, segment by segment."""
        started, spent = time.monotonic(), self._tree_seconds()
        found: list[Frame] = []
        with self._sessions.use(self._version, lambda: self._files) as model:
            for each in self._segments:
                found += self._analysed(each, {"detector": model})
        seconds = time.monotonic() - started
        self._same(found)
        return {"fps": self.count / seconds, "cpu": (self._tree_seconds() - spent) / self.count}

    def two_threads(self) -> Figures:
        """A decoding thread and this one, in one process."""
        started, spent = time.monotonic(), self._tree_seconds()
        waiting: queue.Queue[VideoFrame | None] = queue.Queue(QUEUE_MAX)

        def decode() -> None:
            for each in self._segments:
                for picture in _pictures(each):
                    waiting.put(picture)
            waiting.put(None)

        thread = threading.Thread(target=decode)
        thread.start()
        model = {"detector": _named(self._many)}
        found: list[Frame] = []
        while (picture := waiting.get()) is not None:
            found += look([picture], model, 0)
        thread.join()
        seconds = time.monotonic() - started
        self._same(found)
        return {"fps": self.count / seconds, "cpu": (self._tree_seconds() - spent) / self.count}

    def following(self) -> float:
        """CPU seconds per frame of linking detections to tracks."""
        follow(self.frames[:10], step_of(self.frames))
        return _cpu(lambda: follow(self.frames, step_of(self.frames))) / self.count

    def _analysed(self, segment: CutSegment, models: Any) -> list[Frame]:
        descriptor = sealed_memfd([segment.body])
        live = LiveAttempt(_lease(segment), time.monotonic(), time.monotonic)
        source = DecodedSegment(live, self._zygote, live.lease.segments[0], descriptor, Stages())
        try:
            given = {**models, "face": _named(lambda images: [[] for _ in images])}  # for pictures
            lines = list(video.run("people", source, given, live.advance))
        finally:
            source.close()
        return [line for line in lines if isinstance(line, Frame)]

    def _same(self, found: Sequence[Frame]) -> None:
        if _digest(found) != self.digest:
            raise AssertionError("the sides do not find the same; their speeds say nothing")

    def _tree_seconds(self) -> float:
        """CPU time of this process, the zygote and its decoders that ended."""
        zygote = psutil.Process(self._zygote.pid).cpu_times()
        return time.process_time() + sum(zygote[:4])


class _Named:
    """A loaded model under the name a pipeline wants to see."""

    name, version = MODEL, "1"

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        results: Sequence[Any] = self._loaded(items)
        return results


def _named(loaded: Any) -> _Named:
    return _Named(_OneByOne(loaded))


class _OneByOne:
    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def __call__(self, items: Sequence[Any]) -> list[Any]:
        return [result for item in items for result in self._loaded([item])]


def _cut(zygote: Zygote, path: Path) -> list[CutSegment]:
    """The segments that intake makes of the clip."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        with intake.take(zygote, descriptor, size, intake.IntakeLimits()) as taken:
            return [each for each in taken.segments() if each.stream == "video:0"]
    finally:
        os.close(descriptor)


def _pictures(segment: CutSegment) -> Iterator[VideoFrame]:
    """The frames of a segment, decoded in this process."""
    scaler = Scaler(FRAME_SIDE_MAX)
    with av.open(io.BytesIO(segment.body), format=segment.format) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            time_us = int(frame.pts * stream.time_base * 1_000_000 // 1)
            if segment.from_us <= time_us < segment.to_us:
                rgb, scale = scaler.rgb(frame)
                yield VideoFrame(time_us, rgb, scale)


def _lease(segment: CutSegment) -> Lease:
    piece = Segment(
        segment.number,
        segment.from_us,
        segment.to_us,
        segment.format,
        "bench",
        len(segment.body),
        "",
    )
    return Lease(
        "bench", 1, 3600.0, "bench", "video", "people", "video:0", None, (piece,), (), "", b""
    )


def _cpu(work: Any) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _digest(frames: Sequence[Frame]) -> str:
    return hashlib.sha256(encode(frames)).hexdigest()


def main() -> None:
    """Measure, print the ratios, write the raw file."""
    with Zygote.start() as zygote:
        bench = Bench(zygote)
        bench.ours()  # sessions are loaded and every page is touched before anything counts
        rounds = play(
            bench.parts, {"ours": bench.ours, "two threads": bench.two_threads}, seconds=SECONDS
        )
        following = bench.following()
    shares: dict[str, list[float]] = {"ours": [], "two threads": []}
    lean: list[float] = []
    follow_share: list[float] = []
    for each in counted(rounds):
        bound = CpuBound(cores(), each.floor("decode"), each.floor("infer"))
        for side, reached in shares.items():
            reached.append(ratio(each.of(side, "fps"), bound))
        lean.append((bound.decode + bound.infer) / each.of("ours", "cpu"))
        follow_share.append(following / (bound.decode + bound.infer))
    ours, peer = shares["ours"], shares["two threads"]
    figures = {
        "ours / bound": Spread.of(ours),
        "two threads / bound": Spread.of(peer),
        "ours / two threads": Spread.of([a / b for a, b in zip(ours, peer, strict=True)]),
        "CPU time of the bound / ours": Spread.of(lean),
        "CPU time of following / of the bound": Spread.of(follow_share),
    }
    for name, spread in figures.items():
        print(f"{name:40} {spread}")
    print(f"{bench.count} frames; {summary(rounds)}")
    ratios = {name: str(spread) for name, spread in figures.items()}
    print(write("inference", rounds, frames=bench.count, findings=bench.digest, ratios=ratios))


if __name__ == "__main__":
    main()
