"""The result lines of one medium, segment by segment and in order, folded into its facts.

Only one segment's lines are in memory at a time. What comes out depends on the lines and their
order alone, not on who made them or in how many pieces.
"""

from __future__ import annotations

import base64
import hashlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from leitstand.analysis.audio import RATE
from leitstand.analysis.look import OBJECT_SCORE_MIN, PERSON, people
from leitstand.analysis.speech import join
from leitstand.analysis.track import FACE, Follower, Key, step_of
from leitstand.core.facts import Count, Hole, MediumFacts, Shot, ShotBox, Sighting, Span, Track
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
)

CURVE_POINTS_MAX = 300


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """Where the lines of one pipeline over one segment lie."""

    object_id: str
    pipeline: str
    stream: str
    segment: int


@dataclass(frozen=True, slots=True)
class _Taken:
    """A picture as it came, with the detections of its frame and their tracks-to-be."""

    picture: Picture
    bytes: int
    sha256: str
    object_id: str
    seen: tuple[tuple[Detection, Key | None], ...]


@dataclass(slots=True)
class MediumFold:
    """Feed `take` with every segment in order of stream and number, then call `facts`."""

    medium: str
    kind: str
    segments: dict[tuple[str, int], Span]
    follower: Follower | None = None
    objects: list[Detection] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)
    scenes: list[Scene] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)
    speech: dict[str, list[tuple[int, Speech]]] = field(default_factory=dict)
    voiced: int = 0
    holes: list[Hole] = field(default_factory=list)
    taken: list[_Taken] = field(default_factory=list)
    looked: dict[str, list[Span]] = field(default_factory=dict)
    poses: list[tuple[float, float]] = field(default_factory=list)
    read: set[tuple[str, int]] = field(default_factory=set)
    persons: array[int] = field(default_factory=lambda: array("l"))
    """How many the detector saw in each frame of the follower's times, followed or not."""

    def take(self, result: SegmentResult, lines: Iterable[Line]) -> None:
        """One pipeline's lines of one segment."""
        frames: list[Frame] = []
        pictures: list[Picture] = []
        stats: Stats | None = None
        self.read.add((result.stream, result.segment))
        for line in lines:
            match line:
                case Frame():
                    frames.append(line)
                case Picture():
                    pictures.append(line)
                case Scene():
                    self.scenes.append(line)
                case Mask():
                    self.masks.append(line)
                case Speech():
                    self.speech.setdefault(result.stream, []).append((result.segment, line))
                case Gap():
                    hole = Hole(result.stream, line.from_us, line.to_us, line.reason)
                    self.holes.append(hole)
                case Stats():
                    stats = line
        self._look(result, stats)
        frames.sort(key=lambda frame: frame.time_us)
        if self.kind == "image":
            self._image(frames, pictures, result)
        else:
            self._video(_looked_at(frames, stats), pictures, result)

    def _look(self, result: SegmentResult, stats: Stats | None) -> None:
        span = self.segments.get((result.stream, result.segment))
        if span is not None:
            self.looked.setdefault(result.pipeline, []).append(span)
        if stats is not None and result.pipeline == "audio":
            self.voiced += stats.detected
        if stats is not None and stats.pose_per_second is not None:
            seconds = (span[1] - span[0]) / 1e6 if span else 1.0
            self.poses.append((stats.pose_per_second, max(seconds, 1e-6)))

    def _image(
        self, frames: Sequence[Frame], pictures: Sequence[Picture], result: SegmentResult
    ) -> None:
        objects = [d for f in frames for d in f.detections if d.score >= OBJECT_SCORE_MIN]
        faces = [face for frame in frames for face in frame.faces]
        self.objects += objects
        self.faces += faces
        drawn = objects + [_as_detection(face) for face in faces]
        for picture in pictures:
            self._shot(picture, result, [(detection, None) for detection in drawn])

    def _video(
        self, frames: Sequence[Frame], pictures: Sequence[Picture], result: SegmentResult
    ) -> None:
        if frames and self.follower is None:
            self.follower = Follower(step_of(frames))
        linked: dict[int, list[tuple[Detection, Key | None]]] = {}
        for frame in frames:
            assert self.follower is not None
            seen = [*frame.detections, *map(_as_detection, frame.faces)]
            keys = self.follower.feed(frame.time_us, seen)
            self._persons(frame)
            linked[frame.time_us] = list(zip(seen, keys, strict=True))
        times = sorted(linked)
        step = self.follower.step_us if self.follower else 0
        for picture in pictures:
            nearest = _nearest(times, picture.time_us)
            near = nearest is not None and abs(nearest - picture.time_us) <= step
            self._shot(picture, result, linked[nearest] if near and nearest is not None else [])

    def _persons(self, frame: Frame) -> None:
        assert self.follower is not None
        seen = len(people(frame))
        if len(self.persons) < len(self.follower.times):
            self.persons.append(seen)
        else:  # not later than the one before, so it has no time of its own
            self.persons[-1] = max(self.persons[-1], seen)

    def _shot(
        self,
        picture: Picture,
        result: SegmentResult,
        seen: Sequence[tuple[Detection, Key | None]],
    ) -> None:
        jpeg = base64.b64decode(picture.jpeg_base64)
        digest = hashlib.sha256(jpeg).hexdigest()
        bare = replace(picture, jpeg_base64="")
        self.taken.append(_Taken(bare, len(jpeg), digest, result.object_id, tuple(seen)))

    def facts(self, duration_us: int | None) -> MediumFacts:
        """What all segments said together."""
        tracks = self.follower.tracks() if self.follower else {}
        followed = [track for track in tracks.values() if track.label == PERSON]
        linked = {
            key: replace(track, person=_person_of(track, followed))
            if track.label == FACE
            else track
            for key, track in tracks.items()
        }
        times = self.follower.times if self.follower else array("q")
        width, height = self._extent()
        weight = sum(seconds for _, seconds in self.poses)
        return MediumFacts(
            medium=self.medium,
            width=width,
            height=height,
            duration_us=duration_us,
            objects=tuple(self.objects),
            faces=tuple(self.faces),
            tracks=tuple(linked.values()),
            count=count(times, present(times, followed) if followed else self.persons)
            if times
            else None,
            pose_per_second=sum(p * s for p, s in self.poses) / weight if weight else None,
            scenes=tuple(sorted(self.scenes, key=_scene_order)),
            masks=tuple(self.masks),
            speech=tuple(
                line for stream in sorted(self.speech) for line in join(self.speech[stream])
            ),
            voiced_s=round(self.voiced / RATE, 3),
            shots=tuple(self._shots(linked)),
            holes=merge((*self.holes, *self._missing())),
            looked={name: _spans(spans) for name, spans in sorted(self.looked.items())},
        )

    def _missing(self) -> list[Hole]:
        """Segments without a result, in streams that have some."""
        streams = {stream for stream, _ in self.read}
        return [
            Hole(stream, span[0], span[1], "not-analysed")
            for (stream, number), span in self.segments.items()
            if stream in streams and (stream, number) not in self.read
        ]

    def _extent(self) -> tuple[int | None, int | None]:
        if not self.taken:
            return None, None
        picture = self.taken[0].picture
        return round(picture.width / picture.scale), round(picture.height / picture.scale)

    def _shots(self, tracks: dict[Key, Track]) -> list[Shot]:
        def box(detection: Detection, key: Key | None) -> ShotBox:
            track = tracks.get(key) if key else None
            return ShotBox(
                detection.box,
                detection.label,
                detection.score,
                track.number if track else None,
                detection.keypoints,
            )

        shots = [
            Shot(
                time_us=taken.picture.time_us,
                width=taken.picture.width,
                height=taken.picture.height,
                scale=taken.picture.scale,
                bytes=taken.bytes,
                sha256=taken.sha256,
                object_id=taken.object_id,
                boxes=tuple(
                    box(detection, key)
                    for detection, key in taken.seen
                    if key in tracks or detection.score >= OBJECT_SCORE_MIN
                ),
            )
            for taken in self.taken
        ]
        return sorted(shots, key=lambda shot: (shot.time_us, shot.sha256))


def present(times: Sequence[int], people: Sequence[Track]) -> Sequence[int]:
    """Persons in each of the frames at `times`: those whose track spans it."""
    steps = [0] * (len(times) + 1)
    for track in people:
        for start, end in track.spans:
            steps[bisect_left(times, start)] += 1
            steps[bisect_right(times, end)] -= 1
    return array("l", accumulate(steps[:-1]))


def count(times: Sequence[int], counts: Sequence[int]) -> Count:
    """How many persons there are in all frames together; `counts` runs in parallel to `times`."""
    size = max(1, -(-len(times) // CURVE_POINTS_MAX))
    curve = tuple(
        (times[at], sum(counts[at : at + size]) / len(counts[at : at + size]))
        for at in range(0, len(times), size)
    )
    peopled = sum(persons > 0 for persons in counts)
    mean = sum(counts) / len(counts)
    return Count(min(counts), max(counts), mean, len(counts), peopled, curve)


def merge(holes: Iterable[Hole]) -> tuple[Hole, ...]:
    """Holes in order; those of one stream and reason that touch become one."""
    out: list[Hole] = []
    for hole in sorted(holes, key=lambda h: (h.stream, h.reason, h.from_us, h.to_us)):
        last = out[-1] if out else None
        same = last is not None and (last.stream, last.reason) == (hole.stream, hole.reason)
        if last is not None and same and hole.from_us <= last.to_us:
            out[-1] = replace(last, to_us=max(last.to_us, hole.to_us))
        else:
            out.append(hole)
    return tuple(sorted(out, key=lambda h: (h.from_us, h.stream, h.to_us, h.reason)))


def _looked_at(frames: Sequence[Frame], stats: Stats | None) -> Sequence[Frame]:
    """Frames the detector saw: where it skipped some, an empty frame is one it did not look at."""
    if stats is None or stats.detected >= len(frames):
        return frames
    return [frame for frame in frames if frame.detections or frame.faces]


def _as_detection(face: Face) -> Detection:
    return Detection(face.box, FACE, face.score)


def _nearest(times: Sequence[int], wanted: int) -> int | None:
    at = bisect_left(times, wanted)
    around = times[max(at - 1, 0) : at + 1]
    return min(around, key=lambda time: abs(time - wanted), default=None)


def _person_of(face: Track, people: Sequence[Track]) -> int | None:
    """The person in whose box the face lies where it was largest; the smallest box wins."""
    x = face.largest.centre_x
    y = (face.largest.box[1] + face.largest.box[3]) / 2
    best: tuple[float, int] | None = None
    for person in people:
        seen = _sighting_at(person, face.largest.time_us)
        if seen is None:
            continue
        x0, y0, x1, y1 = seen.box
        if x0 <= x <= x1 and y0 <= y <= y1:
            area = (x1 - x0) * (y1 - y0)
            best = min(best or (area, person.number), (area, person.number))
    return best[1] if best else None


def _sighting_at(track: Track, time_us: int) -> Sighting | None:
    if not any(start <= time_us <= end for start, end in track.spans):
        return None
    return min(track.sightings, key=lambda seen: abs(seen.time_us - time_us), default=None)


def _scene_order(scene: Scene) -> tuple[int, str, float, str, str]:
    return (scene.time_us, scene.kind, -scene.score, scene.source, scene.label)


def _spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    out: list[Span] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)
