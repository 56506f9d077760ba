"""What a worker reports about one segment: the lines of a result object.

A result object is an age file to the job's result recipient whose plaintext is one JSON document
per line, each with a `type`. Times are microseconds on the medium's clock (0 is the earliest first
timestamp of any stream); boxes and points are pixels of the original as displayed, `x0, y0, x1, y1`.
`docs/formats/result.md` is the same in words.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from leitstand.core.limits import RESULT_BYTES_MAX

Box = tuple[float, float, float, float]
Point = tuple[float, float, float]
"""x, y in pixels and a score in 0..1."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one picture. `keypoints` are the 17 COCO points when a pose was estimated."""

    box: Box
    label: str
    score: float
    keypoints: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Face:
    """A detected face: where it is, never whose it is."""

    box: Box
    score: float
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """All detections of one decoded frame (or of an image, at time 0)."""

    type: ClassVar[str] = "frame"
    time_us: int
    detections: tuple[Detection, ...] = ()
    faces: tuple[Face, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG that the report shows, at most `limits.PICTURE_SIDE_MAX` pixels on its long side.

    `scale` turns pixels of the original into pixels of the picture. Persons are blurred in the
    pixels before they leave the worker.
    """

    type: ClassVar[str] = "picture"
    time_us: int
    width: int
    height: int
    scale: float
    jpeg_base64: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A statement about a whole picture: `source` is a model family, or `rule` with its name in `rule`."""

    type: ClassVar[str] = "scene"
    time_us: int
    kind: str
    """label, place (indoor, outdoor) or light (day, night)."""
    label: str
    score: float
    source: str
    rule: str | None = None
    basis: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mask:
    """The region of the picture that a segmentation model calls `label`; polygons in pixels."""

    type: ClassVar[str] = "mask"
    time_us: int
    label: str
    fraction: float
    polygons: tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word with its score in 0..1."""

    word: str
    from_us: int
    to_us: int
    score: float


@dataclass(frozen=True, slots=True)
class Speech:
    """One utterance. Its words lie in the segment by their middle."""

    type: ClassVar[str] = "speech"
    from_us: int
    to_us: int
    text: str
    language: str
    language_score: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """Media time that could not be read, with the reason as a catalogue code."""

    type: ClassVar[str] = "gap"
    from_us: int
    to_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stats:
    """What one pipeline did with one segment; `seconds` by stage (fetch, decode, infer, write)."""

    type: ClassVar[str] = "stats"
    pipeline: str
    units: int
    """Frames decoded, or samples of audio read, inside the segment."""
    detected: int
    """Frames on which the detector ran, or samples in which somebody speaks."""
    pose_per_second: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)


Line = Frame | Picture | Scene | Mask | Speech | Gap | Stats

_TYPES: dict[str, type[Any]] = {
    kind.type: kind for kind in (Frame, Picture, Scene, Mask, Speech, Gap, Stats)
}


def encode(lines: Iterable[Line]) -> bytes:
    """Result lines as UTF-8 JSON lines, in order."""
    out = []
    for line in lines:
        document = {"type": line.type, **dataclasses.asdict(line)}
        out.append(json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    return ("\n".join(out) + "\n").encode() if out else b""


def packed(lines: bytes) -> bytes:
    """Lines as they travel: compressed (zlib, RFC 1950) where that is shorter. Lines begin with a
    brace, compressed ones never do. Done before encryption, after which nothing is compressible."""
    shorter = zlib.compress(lines, 6)
    return shorter if len(shorter) < len(lines) else lines


def unpacked(data: bytes, most: int = RESULT_BYTES_MAX) -> bytes:
    """The lines again. Raises ValueError on what is damaged, or comes to more than `most`."""
    if not data or data[:1] == b"{":
        return data
    opened = zlib.decompressobj()
    try:
        lines = opened.decompress(data, most)
    except zlib.error as error:
        raise ValueError("a damaged result") from error
    if not opened.eof or opened.unused_data:
        raise ValueError("a result that is larger than any, or damaged")
    return lines


def decode(data: bytes) -> Iterator[Line]:
    """Result lines from JSON lines, compressed or not. Raises ValueError on a line it does not know."""
    for raw in unpacked(data).splitlines():
        document = json.loads(raw)
        kind = _TYPES.get(document.pop("type", ""))
        if kind is None:
            raise ValueError("unknown result line")
        yield _build(kind, document)


def _build(kind: type[Any], document: dict[str, Any]) -> Any:
    if kind is Frame:
        return Frame(
            time_us=document["time_us"],
            detections=tuple(
                Detection(_box(d["box"]), d["label"], d["score"], _points(d["keypoints"]))
                for d in document["detections"]
            ),
            faces=tuple(
                Face(_box(f["box"]), f["score"], _points(f["points"])) for f in document["faces"]
            ),
        )
    if kind is Speech:
        document["words"] = tuple(Word(**word) for word in document["words"])
    if kind is Mask:
        document["polygons"] = tuple(
            tuple((float(x), float(y)) for x, y in polygon) for polygon in document["polygons"]
        )
    if kind is Scene:
        document["basis"] = tuple(document["basis"])
    return kind(**document)


def _box(values: list[float]) -> Box:
    x0, y0, x1, y1 = values
    return (x0, y0, x1, y1)


def _points(values: list[list[float]]) -> tuple[Point, ...]:
    return tuple((x, y, score) for x, y, score in values)
