"""Facts as numbered findings: the evidence that every sentence of a report points to.

Findings are plain JSON objects as `docs/formats/report.md` describes them. Their ids `f1`, `f2`, …
follow the order of media, kinds and times, so the same facts give the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leitstand.core.facts import MediumFacts, Pose, Track
from leitstand.core.finding import Box, Point, Speech

Finding = dict[str, Any]
Model = Mapping[str, Any] | None


@dataclass(slots=True)
class MediumEvidence:
    """Ids of one medium's findings, for the sentences that cite them."""

    objects: list[str] = field(default_factory=list)
    poses: list[str] = field(default_factory=list)
    faces: list[str] = field(default_factory=list)
    scenes: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)
    count: str | None = None
    tracks: dict[int, str] = field(default_factory=dict)
    speech: list[str] = field(default_factory=list)
    heard: str | None = None
    nothing: str | None = None
    file_time: str | None = None
    shots: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Evidence:
    """Collects the findings of a report. `models` is by family."""

    models: Mapping[str, Mapping[str, Any]]
    findings: list[Finding] = field(default_factory=list)

    def add(self, medium: str, kind: str, label: str, model: Model = None, **rest: Any) -> str:
        """Appends a finding and returns its id; values of None are left out."""
        id = f"f{len(self.findings) + 1}"
        finding: Finding = {"id": id, "media": medium, "kind": kind, "label": label}
        finding |= {name: value for name, value in rest.items() if value is not None}
        finding["model"] = dict(model) if model else None
        self.findings.append(finding)
        return id

    def medium(self, facts: MediumFacts, file_time: str | None) -> MediumEvidence:
        """All findings of one medium; its shots are the pictures that the report shows."""
        found = MediumEvidence()
        self._still(facts, found)
        self._moving(facts, found)
        self._scenes(facts, found)
        self._spoken(facts, found)
        if file_time:
            found.file_time = self.add(facts.medium, "event", "file-time", text=file_time)
        self._pictures(facts, found)
        return found

    def _still(self, facts: MediumFacts, found: MediumEvidence) -> None:
        detector, face = self.models.get("detector"), self.models.get("face")
        for seen in facts.objects:
            id = self.add(
                facts.medium,
                "object",
                seen.label,
                detector,
                score=score(seen.score),
                box=box(seen.box),
            )
            found.objects.append(id)
            if seen.keypoints:
                pose = Pose(0, seen.keypoints, _mean(seen.keypoints), 1)
                found.poses.append(self._pose(facts.medium, pose, evidence=[id]))
        for seen_face in facts.faces:
            found.faces.append(
                self.add(
                    facts.medium,
                    "face",
                    "face",
                    face,
                    score=score(seen_face.score),
                    box=box(seen_face.box),
                    keypoints=points(seen_face.points) or None,
                )
            )
        for mask in facts.masks:
            found.masks.append(
                self.add(
                    facts.medium,
                    "mask",
                    mask.label,
                    self.models.get("silhouette"),
                    time=seconds(mask.time_us),
                    fraction=score(mask.fraction),
                    polygons=[[[one(x), one(y)] for x, y in polygon] for polygon in mask.polygons],
                )
            )

    def _moving(self, facts: MediumFacts, found: MediumEvidence) -> None:
        people = [track for track in facts.tracks if track.label == "person"]
        if facts.count is not None:
            by_frame = facts.count.high > 0 and not people
            index = len(self.findings)
            found.count = self.add(
                facts.medium,
                "event",
                "person-count" if facts.count.high else "no-person",
                self.models.get("detector"),
                interval=self._whole(facts, "video"),
                values={
                    "low": facts.count.low,
                    "high": facts.count.high,
                    "mean": round(facts.count.mean, 3),
                    "frames": facts.count.frames,
                    "peopled": facts.count.peopled,
                },
                basis=["single frames"] if by_frame else None,
                curve=[[seconds(at), round(mean, 2)] for at, mean in facts.count.curve],
                evidence=[],
            )
        for track in facts.tracks:
            id = self._track(facts.medium, track, found)
            if track.label == "face":
                found.faces.append(id)
            else:
                found.tracks[track.number] = id
        for track in facts.tracks:
            if track.pose is not None:
                id = found.tracks[track.number]
                found.poses.append(
                    self._pose(facts.medium, track.pose, track=track.number, evidence=[id])
                )
        if found.count is not None:
            self.findings[index]["evidence"] = [found.tracks[track.number] for track in people]

    def _track(self, medium: str, track: Track, found: MediumEvidence) -> str:
        face = track.label == "face"
        return self.add(
            medium,
            "face" if face else "track",
            track.label,
            self.models.get("face" if face else "detector"),
            score=score(track.score_mean),
            score_low=score(track.score_low),
            score_high=score(track.score_high),
            track=track.person if face else track.number,
            interval=[seconds(track.from_us), seconds(track.to_us)],
            spans=[[seconds(start), seconds(end)] for start, end in track.spans],
            frames=track.frames,
            boxes=[
                {"time": seconds(s.time_us), "box": box(s.box), "score": score(s.score)}
                for s in track.sightings
            ],
            box=box(track.largest.box),
            time=seconds(track.largest.time_us),
            rule="bytetrack",
            evidence=[found.tracks[track.person]]
            if face and track.person in found.tracks
            else None,
        )

    def _pose(self, medium: str, pose: Pose, **rest: Any) -> str:
        return self.add(
            medium,
            "pose",
            "person",
            self.models.get("pose"),
            score=score(pose.score),
            time=seconds(pose.time_us),
            keypoints=points(pose.points),
            frames=pose.frames,
            **rest,
        )

    def _scenes(self, facts: MediumFacts, found: MediumEvidence) -> None:
        for scene in facts.scenes:
            rule = scene.rule or scene.source if scene.source == "rule" else None
            found.scenes.append(
                self.add(
                    facts.medium,
                    "scene",
                    scene.label,
                    None if rule else self.models.get(scene.source),
                    aspect=scene.kind,
                    score=score(scene.score),
                    time=seconds(scene.time_us),
                    rule=rule,
                    basis=list(scene.basis) or None,
                )
            )

    def _spoken(self, facts: MediumFacts, found: MediumEvidence) -> None:
        if "audio" not in facts.looked:
            return
        spoken = [self._utterance(facts.medium, speech) for speech in facts.speech]
        found.speech = spoken
        languages: dict[str, float] = {}
        for speech in facts.speech:
            length = (speech.to_us - speech.from_us) / 1e6
            languages[speech.language] = languages.get(speech.language, 0.0) + length
        found.heard = self.add(
            facts.medium,
            "event",
            "speech" if spoken else "no-words" if facts.voiced_s else "no-speech",
            self.models.get("speech" if spoken else "voice"),
            interval=self._whole(facts, "audio"),
            values={
                "times": len(spoken),
                "voiced_s": facts.voiced_s,
                "seconds": round(sum(languages.values()), 3),
                "words": sum(words_in(speech) for speech in facts.speech),
                "languages": sorted(languages, key=lambda code: (-languages[code], code)),
            },
            evidence=spoken,
        )

    def _utterance(self, medium: str, speech: Speech) -> str:
        scores = [word.score for word in speech.words]
        return self.add(
            medium,
            "speech",
            "utterance",
            self.models.get("speech"),
            score=score(sum(scores) / len(scores)) if scores else None,
            interval=[seconds(speech.from_us), seconds(speech.to_us)],
            text=speech.text.strip(),
            language=speech.language,
            language_score=score(speech.language_score),
            words=[
                {
                    "word": word.word.strip(),
                    "start": seconds(word.from_us),
                    "end": seconds(word.to_us),
                    "score": score(word.score),
                }
                for word in speech.words
            ],
        )

    def _pictures(self, facts: MediumFacts, found: MediumEvidence) -> None:
        if "image" in facts.looked and not (facts.objects or facts.faces):
            found.nothing = self.add(
                facts.medium, "event", "nothing-recognised", self.models.get("detector"), time=0.0
            )
        for shot in facts.shots:
            cited = dict.fromkeys(
                found.tracks[box.track] for box in shot.boxes if box.track in found.tracks
            )
            found.shots.append(
                self.add(
                    facts.medium,
                    "picture",
                    "picture",
                    time=seconds(shot.time_us),
                    width=shot.width,
                    height=shot.height,
                    sha256=shot.sha256,
                    evidence=list(cited) or None,
                )
            )

    @staticmethod
    def _whole(facts: MediumFacts, pipeline: str) -> list[float] | None:
        spans = facts.looked.get(pipeline)
        return [seconds(spans[0][0]), seconds(spans[-1][1])] if spans else None


def words_in(speech: Speech) -> int:
    """Words of an utterance, also where the recogniser gave no word times."""
    return len(speech.words) or len(speech.text.split())


def seconds(microseconds: int) -> float:
    """Microseconds as seconds; exact to the microsecond."""
    return round(microseconds / 1e6, 6)


def score(value: float) -> float:
    """A score as reports carry it."""
    return round(float(value), 4)


def one(value: float) -> float:
    """A coordinate to a tenth of a pixel."""
    return round(float(value), 1)


def box(values: Box) -> list[float]:
    """x0, y0, x1, y1 to a tenth of a pixel."""
    return [one(value) for value in values]


def points(values: Iterable[Point]) -> list[list[float]]:
    """Key points as [x, y, score]."""
    return [[one(x), one(y), score(s)] for x, y, s in values]


def _mean(values: Sequence[Point]) -> float:
    return sum(point[2] for point in values) / len(values)
