"""Inputs documents and result lines as the control plane and workers make them, small and whole."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from leitstand.analysis.track import Follower
from leitstand.core.facts import Track
from leitstand.core.finding import (
    Detection,
    Face,
    Frame,
    Gap,
    Line,
    Mask,
    Picture,
    Scene,
    Speech,
    Stats,
    Word,
    decode,
    encode,
)

DATA = Path(__file__).parents[1] / "data"
SEGMENT_US = 30_000_000
VIDEO = "medium_01KAR3W6V9Q4T8ZC5N0EXB60AA"
INSTANCE = "instance_01KAR3W6V9Q4T8ZC5N0EXB4C1E"


def vtest_frames() -> list[Frame]:
    """Boxes that NanoDet-g saw in all 795 frames of OpenCV's `vtest.avi`, scores from 0.2 up.

    Recorded once; persons per frame and tracks are facts of that video, not of a test.
    """
    recorded = json.loads(gzip.decompress((DATA / "vtest-detections.json.gz").read_bytes()))
    return [
        Frame(
            time_us,
            tuple(
                Detection((float(x0), float(y0), float(x1), float(y1)), "person", score / 1000)
                for x0, y0, x1, y1, score in boxes
            ),
        )
        for time_us, boxes in recorded
    ]


def follow(frames: Iterable[Frame], step_us: int) -> tuple[Track, ...]:
    """Tracks of frames that already lie together in memory."""
    follower = Follower(step_us)
    for frame in frames:
        follower.feed(frame.time_us, frame.detections)
    return tuple(follower.tracks().values())


def picture(time_us: int = 0, width: int = 96, height: int = 72, scale: float = 0.125) -> Picture:
    """A grey picture of an original of `width / scale`."""
    held = io.BytesIO()
    Image.new("RGB", (width, height), (90, 100 + time_us % 97, 110)).save(held, "JPEG")
    return Picture(time_us, width, height, scale, base64.b64encode(held.getvalue()).decode())


def speech(
    start_s: float, end_s: float, text: str, language: str = "de", score: float = 0.9
) -> Speech:
    """An utterance whose words share its time evenly."""
    words = text.split()
    each = (end_s - start_s) / max(len(words), 1)
    return Speech(
        from_us=round(start_s * 1e6),
        to_us=round(end_s * 1e6),
        text=text,
        language=language,
        language_score=0.98,
        words=tuple(
            Word(
                word,
                round((start_s + i * each) * 1e6),
                round((start_s + (i + 1) * each) * 1e6),
                score,
            )
            for i, word in enumerate(words)
        ),
    )


class Job:
    """An inputs document that grows by media, with the objects their results lie in."""

    def __init__(self, lang: str = "en", title: str = "inbox") -> None:
        self.objects: dict[str, bytes] = {}
        self.reads: list[str] = []
        self.document: dict[str, Any] = {
            "schema": "leitstand.inputs/1",
            "made_at": "2026-11-23T09:41:12Z",
            "lang": lang,
            "job": {
                "id": "job_01KAR3W6V9Q4T8ZC5N0EXB71C0",
                "profile": "auto",
                "created_at": "2026-11-23T09:37:00Z",
            },
            "case": {"id": "case_01KAR3W6V9Q4T8ZC5N0EXBK203", "title": title, "data_class": 2},
            "media": [],
            "results": [],
            "steps": [],
            "instances": [
                {
                    "id": INSTANCE,
                    "provider": "RunPod",
                    "gpu": "RTX 4090",
                    "region": "EU-RO-1",
                    "tier": "B",
                    "price_eur_per_hour": "0.59",
                }
            ],
            "models": [_model(family) for family in ("detector", "face", "voice", "speech")],
            "missing": [{"family": "silhouette", "capability": "person-segmentation"}],
            "costs": {
                "total_eur": "0.04",
                "reserved_eur": "2.41",
                "lines": [
                    {
                        "instance": INSTANCE,
                        "from": "2026-11-23T09:37:30Z",
                        "to": "2026-11-23T09:41:30Z",
                        "amount_eur": "0.04",
                    }
                ],
            },
            "ledger": {"size": 48219, "root": "a41f09c2" * 8},
        }

    def medium(self, id: str, name: str, kind: str | None, **more: Any) -> dict[str, Any]:
        """Adds a medium without results."""
        made: dict[str, Any] = {
            "id": id,
            "name": name,
            "sha256": hashlib.sha256(id.encode()).hexdigest(),
            "kind": kind,
            "bytes": 8_131_690,
            "state": "done",
            "reason": None,
            "technical": {},
            "exif": {},
            "gaps": [],
            "segments": [],
            **more,
        }
        self.document["media"].append(made)
        return made

    def result(self, medium: str, stream: str, number: int, lines: Sequence[Line]) -> None:
        """Adds one committed result."""
        object_id = f"object_{len(self.objects)}"
        self.objects[object_id] = encode(lines)
        pipeline = stream.split(":", maxsplit=1)[0]
        self.document["results"].append(
            {
                "object_id": object_id,
                "task": f"task_{pipeline}",
                "pipeline": pipeline,
                "medium": medium,
                "stream": stream,
                "segment": number,
                "instance": INSTANCE,
                "attempt": "attempt_1",
            }
        )
        self.document["steps"].append(
            {
                "name": pipeline,
                "medium": medium,
                "started_at": "2026-11-23T09:38:01Z",
                "ended_at": "2026-11-23T09:40:40.5Z",
                "instance": INSTANCE,
                "attempt": "attempt_1",
                "outcome": "done",
                "stage_seconds": {"decode": 31.2, "infer": 98.4},
            }
        )

    def results(self, object_id: str) -> Iterator[Line]:
        """What `fuse` reads from."""
        self.reads.append(object_id)
        return decode(self.objects[object_id])


def street(lang: str = "en", title: str = "Bahnhof Süd, Hof", name: str = "hof_0540.mp4") -> Job:
    """The street video in three segments, with a gap, speech, pictures and a wrong clock."""
    job = Job(lang, title)
    segments = [
        {
            "stream": stream,
            "number": number,
            "from_us": number * SEGMENT_US,
            "to_us": min((number + 1) * SEGMENT_US, 79_500_000),
        }
        for stream in ("video:0", "audio:0")
        for number in range(3)
    ]
    job.medium(
        VIDEO,
        name,
        "video",
        state="partial",
        technical={"duration_s": 79.5, "video": {"width": 768, "height": 576}},
        exif={"DateTimeOriginal": "2026:11:21 01:40:00"},
        segments=segments,
    )
    frames = [f for f in vtest_frames() if not 33_000_000 <= f.time_us < 34_200_000]
    spoken = [
        speech(3, 9.5, "Bitte beachten Sie, Gleis zwei, Einfahrt."),
        speech(28, 29.9, "Bitte zurücktreten, der"),
        speech(30.1, 32, "Zug fährt durch."),
        speech(71, 74.5, "Danke für Ihr Verständnis.", score=0.4),
    ]
    for number in range(3):
        start, end = number * SEGMENT_US, (number + 1) * SEGMENT_US
        lines: list[Line] = [f for f in frames if start <= f.time_us < end]
        lines += [picture(frames_at) for frames_at in (start + 2_000_000, start + 12_000_000)]
        lines += [
            Scene(start + 1, "place", "outdoor", 0.7, "rule", "place/1", ("car",)),
            Scene(start + 1, "light", "day", 0.8, "rule", "light/1"),
        ]
        if number == 1:
            lines.append(Gap(33_000_000, 34_200_000, "unreadable"))
        looked = sum(isinstance(line, Frame) for line in lines)
        job.result(VIDEO, "video:0", number, [*lines, Stats("video", 300, looked, 16.2)])
        heard = [s for s in spoken if start <= s.from_us < end]
        job.result(VIDEO, "audio:0", number, [*heard, Stats("audio", 480_000, 0)])
    return job


def still(job: Job, id: str = "medium_still", name: str = "bus.jpg") -> None:
    """Adds a picture with a bus, two persons and a face."""
    segment = {"stream": "image:0", "number": 0, "from_us": 0, "to_us": 1}
    job.medium(id, name, "image", segments=[segment], technical={"image": {"width": 768}})
    detections = (
        Detection((15.0, 130.0, 700.0, 460.0), "bus", 0.76),
        Detection((48.0, 98.0, 245.0, 503.0), "person", 0.73, tuple([(60.0, 120.0, 0.8)] * 17)),
        Detection((370.0, 190.0, 510.0, 480.0), "person", 0.42),
        Detection((1.0, 1.0, 9.0, 9.0), "kite", 0.21),
    )
    faces = (Face((60.0, 100.0, 110.0, 150.0), 0.88, ((70.0, 120.0, 1.0),)),)
    lines: list[Line] = [
        Frame(0, detections, faces),
        picture(),
        Scene(0, "label", "minibus", 0.52, "scene"),
        Scene(0, "place", "outdoor", 0.8, "rule", "place/1", ("bus",)),
        Scene(0, "place", "indoor", 0.4, "scene"),
        Mask(0, "person", 0.12, (((1.0, 1.0), (50.0, 1.0), (50.0, 80.0)),)),
        Stats("image", 1, 1),
    ]
    job.result(id, "image:0", 0, lines)


def _model(family: str) -> dict[str, Any]:
    return {
        "family": family,
        "name": f"{family}-model",
        "version": "1.0",
        "digest": hashlib.sha256(family.encode()).hexdigest(),
        "licence": "Apache-2.0",
    }
