"""What the page shows of each medium: sentences, pictures with boxes, course, words, evidence.

Everything is finished text or geometry here, so that the template only places it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leitstand.analysis.rows import Row, evidence_rows, fact_rows
from leitstand.analysis.timeline import Timeline, timeline
from leitstand.core.facts import WORD_SCORE_DOUBTFUL, MediumFacts, Shot, ShotBox
from leitstand.core.report import Report, headline
from leitstand.messages import Texts, plain

Images = dict[str, bytes]

FIRST_PICTURES = 3
"""Shown above the course, so that the first printed page tells the whole story."""
POSED_MAX = 8
CURVE_ROWS = 20
POINT_SCORE_MIN = 0.3
BONES = (
    (5, 7, 9),
    (6, 8, 10),
    (5, 6, 12, 11, 5),
    (11, 13, 15),
    (12, 14, 16),
)
"""Limbs and trunk over the 17 key points of COCO."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box in picture pixels with its track number on a tag."""

    x: float
    y: float
    width: float
    height: float
    style: str
    tag: str
    tag_x: float = 0.0
    tag_y: float = 0.0
    tag_base: float = 0.0
    tag_width: float = 0.0
    tag_height: float = 0.0
    tag_size: float = 0.0


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture as a data address with what is drawn over it."""

    src: str
    width: int
    height: int
    alt: str
    caption: str
    boxes: tuple[DrawnBox, ...]
    bones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One row of the transcript; `parts` are (doubtful, text)."""

    id: str
    at: str
    lang: str
    parts: tuple[tuple[bool, str], ...]
    score: str


@dataclass(slots=True)
class MediumView:
    """One medium as the page shows it."""

    anchor: str
    name: str
    kind: str
    state: str
    state_words: str
    result: str
    failed: str
    sentences: list[Mapping[str, Any]]
    pictures: list[DrawnPicture]
    more_pictures: list[DrawnPicture]
    timeline: Timeline | None
    course_label: str
    curve: list[tuple[str, str]]
    utterances: list[Utterance]
    spoken_caption: str
    evidence: list[Row]
    evidence_more: str
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def shown(self) -> bool:
        """Whether there is more to show than its line in the list of files."""
        return bool(self.sentences or self.pictures or self.utterances)


def media_views(
    report: Report, facts: Sequence[MediumFacts], images: Mapping[str, Images], texts: Texts
) -> list[MediumView]:
    """One view per medium of the report, in its order."""
    sentences: dict[str, list[Any]] = {}
    findings: dict[str, list[Any]] = {}
    for sentence in report["summary"]:
        sentences.setdefault(sentence["media"], []).append(sentence)
    for finding in report["findings"]:
        findings.setdefault(finding["media"], []).append(finding)
    views = []
    for number, (medium, fact) in enumerate(zip(report["media"], facts, strict=True), start=1):
        told = sentences.get(medium["id"], [])
        found = findings.get(medium["id"], [])
        album = _Album(told, found, texts)
        first, rest = album.draw(fact, images.get(medium["id"], {}))
        rows, more = evidence_rows(told, found, len(facts), texts)
        views.append(
            MediumView(
                anchor=f"m{number}",
                name=plain(medium["name"]),
                kind=texts.say(f"report-kind-{medium['kind'] or 'none'}"),
                state=medium["state"],
                state_words=texts.say(f"report-state-{medium['state']}"),
                result=_result(medium, texts),
                failed=_failed(medium),
                sentences=told,
                pictures=first,
                more_pictures=rest,
                timeline=timeline(fact, album.picked, album.named),
                course_label=texts.say("report-course-text", name=medium["name"]),
                curve=_curve(fact, texts),
                utterances=_utterances(found, texts),
                spoken_caption=_spoken_caption(report, found, texts),
                evidence=rows,
                evidence_more=more,
                facts=fact_rows(medium, len(facts), texts),
            )
        )
    return views


def _result(medium: Mapping[str, Any], texts: Texts) -> str:
    if medium["headline"]:
        return headline(medium["headline"], texts)
    return plain(medium["reason"]["what"]) if medium["reason"] else "–"


def _failed(medium: Mapping[str, Any]) -> str:
    reason = medium["reason"]
    if medium["state"] != "failed" or not reason:
        return ""
    parts = (reason["what"], reason.get("why"), reason.get("do"))
    return ". ".join(plain(part) for part in parts if part) + "."


def _curve(facts: MediumFacts, texts: Texts) -> list[tuple[str, str]]:
    if facts.count is None:
        return []
    curve = facts.count.curve
    every = max(1, -(-len(curve) // CURVE_ROWS))
    return [(texts.clock(at / 1e6), texts.number(mean, 1)) for at, mean in curve[::every]]


class _Album:
    """The pictures of one medium, with the tracks that sentences name picked out."""

    def __init__(
        self, told: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], texts: Texts
    ) -> None:
        self._texts = texts
        tracks = {f["id"]: f["track"] for f in found if f["kind"] == "track"}
        self._pictures = [f for f in found if f["kind"] == "picture"]
        self._track_of: dict[str, int] = {}
        named = [s for s in told if s["message"] == "sum-track"]
        for sentence in named:
            number = next((tracks[id] for id in sentence["evidence"] if id in tracks), None)
            for id in sentence["evidence"]:
                if number is not None and id not in tracks:
                    self._track_of.setdefault(id, number)
        self.picked = _picked(named, tracks)
        self.named = {tracks[id] for s in named for id in s["evidence"] if id in tracks}
        cited = dict.fromkeys(id for sentence in told for id in sentence["evidence"])
        pictures = [f["id"] for f in self._pictures]
        first = [id for id in cited if id in pictures] + [id for id in pictures if id not in cited]
        self._first = set(first[:FIRST_PICTURES])

    def draw(
        self, facts: MediumFacts, images: Images
    ) -> tuple[list[DrawnPicture], list[DrawnPicture]]:
        """The pictures that sentences cite first, and the rest. Shots and picture findings run in
        parallel; one whose JPEG is missing is left out."""
        first: list[DrawnPicture] = []
        rest: list[DrawnPicture] = []
        for shot, finding in zip(facts.shots, self._pictures, strict=True):
            jpeg = images.get(shot.sha256)
            if jpeg is None:
                continue
            still = "image" in facts.looked
            (first if finding["id"] in self._first else rest).append(
                DrawnPicture(
                    src="data:image/jpeg;base64," + base64.b64encode(jpeg).decode(),
                    width=shot.width,
                    height=shot.height,
                    alt=self._alt(shot, still),
                    caption=self._caption(shot, finding["id"], still),
                    boxes=tuple(_box(box, shot, box.track in self.picked) for box in shot.boxes),
                    bones=tuple(_bones(shot)),
                )
            )
        return first, rest

    def _alt(self, shot: Shot, still: bool) -> str:
        if still:
            return self._texts.say("report-picture-still-alt", boxes=len(shot.boxes))
        at = self._texts.clock(shot.time_us / 1e6)
        return self._texts.say("report-picture-alt", time=at, boxes=len(shot.boxes))

    def _caption(self, shot: Shot, id: str, still: bool) -> str:
        number, at = id[1:], self._texts.clock(shot.time_us / 1e6)
        if still:
            return self._texts.say("report-picture-caption-still", number=number)
        track = self._track_of.get(id)
        if track is not None:
            return self._texts.say(
                "report-picture-caption-track", number=number, track=track, time=at
            )
        return self._texts.say("report-picture-caption", number=number, time=at)


def _picked(named: Sequence[Mapping[str, Any]], tracks: Mapping[str, int]) -> set[int]:
    """The first track a sentence names is the chosen one: one colour, one thing."""
    for sentence in named:
        for id in sentence["evidence"]:
            if id in tracks:
                return {tracks[id]}
    return set()


def _box(box: ShotBox, shot: Shot, picked: bool) -> DrawnBox:
    x0, y0, x1, y1 = (round(value * shot.scale, 1) for value in box.box)
    style = "pick" if picked else "face" if box.label == "face" else ""
    tag = str(box.track) if box.track is not None and box.label == "person" else ""
    size = max(round(shot.width / 42, 1), 9.0)
    height, width = round(size * 1.3, 1), round(size * (0.75 + 0.62 * len(tag)), 1)
    top = y0 - height if y0 >= height else y0
    return DrawnBox(
        x=x0,
        y=y0,
        width=max(round(x1 - x0, 1), 0.0),
        height=max(round(y1 - y0, 1), 0.0),
        style=style,
        tag=tag,
        tag_x=round(x0 + width / 2, 1),
        tag_y=round(top, 1),
        tag_base=round(top + size * 1.02, 1),
        tag_width=width,
        tag_height=height,
        tag_size=size,
    )


def _bones(shot: Shot) -> list[str]:
    lines = []
    posed = [box for box in shot.boxes if len(box.points) == 17][:POSED_MAX]
    for box in posed:
        for bone in BONES:
            points = [box.points[index] for index in bone]
            if all(point[2] >= POINT_SCORE_MIN for point in points):
                lines.append(
                    " ".join(f"{x * shot.scale:.1f},{y * shot.scale:.1f}" for x, y, _ in points)
                )
    return lines


def _utterances(found: Sequence[Mapping[str, Any]], texts: Texts) -> list[Utterance]:
    return [
        Utterance(
            id=finding["id"],
            at=texts.clock(finding["interval"][0], 0),
            lang=plain(finding["language"]),
            parts=_parts(finding),
            score=texts.percent(finding["score"]) if "score" in finding else "–",
        )
        for finding in found
        if finding["kind"] == "speech"
    ]


def _parts(finding: Mapping[str, Any]) -> tuple[tuple[bool, str], ...]:
    """The text in runs of certain and doubtful words."""
    words = finding["words"]
    if "".join(word["word"] for word in words) != "".join(finding["text"].split()):
        return ((False, plain(finding["text"])),)
    runs: list[tuple[bool, str]] = []
    for index, word in enumerate(words):
        doubt = word["score"] < WORD_SCORE_DOUBTFUL
        if index:
            runs.append((False, " "))
        runs.append((doubt, plain(word["word"])))
    return tuple(runs)


def _spoken_caption(report: Report, found: Sequence[Mapping[str, Any]], texts: Texts) -> str:
    heard = next((f for f in found if f["kind"] == "event" and f["label"] == "speech"), None)
    if heard is None:
        return ""
    spoken = texts.join(texts.language(code) for code in heard["values"]["languages"])
    model = heard["model"]
    return f"{spoken}; {plain(model['name'])} {plain(model['version'])}" if model else spoken
