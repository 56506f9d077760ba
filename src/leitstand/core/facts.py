"""What `fuse` learned about each medium, in types, before it becomes a report.

Times are microseconds on the medium's clock, boxes pixels of the original as displayed. A fact
names what was seen, never who: nothing here carries an identity, an age or a mood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leitstand.core.finding import Box, Detection, Face, Mask, Point, Scene, Speech

WORD_SCORE_DOUBTFUL = 0.6
"""Words below are marked in the transcript; the report says so."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One tracked box at one time."""

    time_us: int
    box: Box
    score: float

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def centre_x(self) -> float:
        return (self.box[0] + self.box[2]) / 2


@dataclass(frozen=True, slots=True)
class Pose:
    """The best seen posture of a track (or of an object in an image) and how often one was seen."""

    time_us: int
    points: tuple[Point, ...]
    score: float
    frames: int


@dataclass(frozen=True, slots=True)
class Track:
    """One thing followed through a video. `spans` are stretches without a longer absence.

    `sightings` are thinned where a medium has very many; `first`, `last` and `largest` are always
    exact. `person` is the person's track a face belongs to.
    """

    number: int
    label: str
    spans: tuple[Span, ...]
    frames: int
    score_mean: float
    score_low: float
    score_high: float
    first: Sighting
    last: Sighting
    largest: Sighting
    sightings: tuple[Sighting, ...]
    pose: Pose | None = None
    person: int | None = None

    @property
    def from_us(self) -> int:
        return self.first.time_us

    @property
    def to_us(self) -> int:
        return self.last.time_us


@dataclass(frozen=True, slots=True)
class ShotBox:
    """A box drawn into a picture; `track` where it belongs to one."""

    box: Box
    label: str
    score: float
    track: int | None
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture the report may show: where its JPEG lies and what is drawn into it."""

    time_us: int
    width: int
    height: int
    scale: float
    bytes: int
    sha256: str
    object_id: str
    boxes: tuple[ShotBox, ...]


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch of a stream that is not in the findings, and the catalogue code of its reason."""

    stream: str
    from_us: int
    to_us: int
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """Persons per frame over all frames a detector saw, and a curve of (time, mean) for drawing.

    By tracks; where nobody could be followed, by what the detector saw in each frame on its own.
    """

    low: int
    high: int
    mean: float
    frames: int
    peopled: int
    """Frames with at least one person."""
    curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class MediumFacts:
    """All that results say about one medium, linked over segments."""

    medium: str
    width: int | None = None
    height: int | None = None
    duration_us: int | None = None
    objects: tuple[Detection, ...] = ()
    faces: tuple[Face, ...] = ()
    tracks: tuple[Track, ...] = ()
    count: Count | None = None
    pose_per_second: float | None = None
    scenes: tuple[Scene, ...] = ()
    masks: tuple[Mask, ...] = ()
    speech: tuple[Speech, ...] = ()
    voiced_s: float = 0.0
    """Seconds in which the voice model hears somebody speak, whether words were made of it or not."""
    shots: tuple[Shot, ...] = ()
    holes: tuple[Hole, ...] = ()
    looked: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    """Pipeline -> stretches of media time it really analysed."""
