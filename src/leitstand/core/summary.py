"""The sentences of a report: each one catalogue message, filled with facts, citing its evidence.

Nothing is written here that no finding carries (promise P10). What was not seen, not read or not
looked for is said in a list of its own, never left to be guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from leitstand.core.evidence import MediumEvidence, words_in
from leitstand.core.facts import WORD_SCORE_DOUBTFUL, MediumFacts, Track
from leitstand.core.finding import Scene

EVIDENCE_PER_SENTENCE_MAX = 12
"""More would not be read; the cited aggregate finding names the rest."""
NOTABLE_TRACKS_MAX = 3
NEARER_FACTOR = 1.2
"""A track is called the nearest when its largest box is this much higher than any other's."""
MOVED_SHARE = 0.25
"""Of the picture's width that a track must cross to have gone somewhere."""
GROWN_FACTOR = 1.5
DAY_IMPOSSIBLE_HOURS = frozenset({22, 23, 0, 1, 2, 3})
NIGHT_IMPOSSIBLE_HOURS = frozenset({10, 11, 12, 13, 14})
"""Hours at which daylight, or the lack of it, speaks against the file's clock almost anywhere."""

_EXIF_TIMES = ("datetimeoriginal", "creation_time", "datetimedigitized", "datetime")
_EXIF_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?")

Sentence = dict[str, Any]


class Say(Protocol):
    """What of `messages.Texts` the sentences need."""

    def say(self, id: str, /, **params: str | float | Decimal | None) -> str: ...
    def knows(self, id: str) -> bool: ...
    def number(self, value: float | Decimal, digits: int | None = None) -> str: ...
    def percent(self, share: float, digits: int = 0) -> str: ...
    def clock(self, seconds: float, digits: int = 1) -> str: ...
    def duration(self, seconds: float) -> str: ...
    def join(self, items: Iterable[str]) -> str: ...
    def language(self, code: str) -> str: ...


@dataclass(slots=True)
class Summary:
    """Collects the sentences of all media in one language."""

    texts: Say
    sentences: list[Sentence] = field(default_factory=list)

    def tell(self, medium: str, message: str, evidence: Iterable[str], **params: Any) -> None:
        """One sentence. It is not written when nothing supports it."""
        cited = list(dict.fromkeys(evidence))[:EVIDENCE_PER_SENTENCE_MAX]
        if not cited:
            return
        self.sentences.append(
            {
                "id": f"s{len(self.sentences) + 1}",
                "media": medium,
                "message": message,
                "sentence": self.texts.say(message, **params),
                "evidence": cited,
            }
        )

    def medium(self, facts: MediumFacts, found: MediumEvidence, file_time: str | None) -> None:
        """All sentences about one medium."""
        self._still(facts, found)
        self._persons(facts, found)
        self._tracks(facts, found)
        self._spoken(facts, found)
        self._surroundings(facts, found, file_time)

    def _still(self, facts: MediumFacts, found: MediumEvidence) -> None:
        id = facts.medium
        if "image" not in facts.looked:
            return
        if facts.objects:
            names = Counter(seen.label for seen in facts.objects)
            self.tell(id, "sum-objects", found.objects, things=things(self.texts, names))
        elif found.nothing:
            self.tell(id, "sum-nothing", [found.nothing])
        if facts.faces:
            self.tell(id, "sum-faces", found.faces, count=len(facts.faces))
        if found.poses:
            self.tell(id, "sum-poses", found.poses, count=len(found.poses))
        for mask, evidence in zip(facts.masks, found.masks, strict=True):
            if mask.label == "person" and mask.fraction >= 0.005:
                share = self.texts.percent(mask.fraction)
                self.tell(id, "sum-mask", [evidence], share=share)

    def _persons(self, facts: MediumFacts, found: MediumEvidence) -> None:
        count = facts.count
        if count is None or found.count is None:
            return
        people = [track for track in facts.tracks if track.label == "person"]
        fullest = max(range(len(found.shots)), key=lambda at: len(facts.shots[at].boxes), default=0)
        evidence = [found.count, *found.shots[fullest : fullest + 1]]
        if count.high == 0:
            self.tell(facts.medium, "sum-no-person", evidence)
            return
        if not people:
            self.tell(
                facts.medium,
                "sum-persons-unfollowed",
                evidence,
                high=count.high,
                peopled=count.peopled,
                frames=count.frames,
            )
            return
        self.tell(
            facts.medium,
            "sum-persons",
            evidence,
            form="same" if count.low == count.high else "none" if count.low == 0 else "range",
            low=count.low,
            high=count.high,
            mean=self.texts.number(count.mean, 1),
        )

    def _tracks(self, facts: MediumFacts, found: MediumEvidence) -> None:
        people = [track for track in facts.tracks if track.label == "person"]
        for track in notable(people, facts.width):
            self.tell(
                facts.medium,
                "sum-track",
                [found.tracks[track.number], *_showing(track, facts, found)],
                number=track.number,
                start=self.texts.clock(track.from_us / 1e6, 0),
                end=self.texts.clock(track.to_us / 1e6, 0),
                move=movement(track, facts.width),
                nearest="yes" if _is_nearest(track, people) else "no",
            )
        others = [track for track in facts.tracks if track.label not in {"person", "face"}]
        if others:
            names = Counter(track.label for track in others)
            evidence = [found.tracks[track.number] for track in others]
            told = things(self.texts, names)
            self.tell(facts.medium, "sum-things", evidence, things=told, count=len(others))
        faces = [track for track in facts.tracks if track.label == "face"]
        if faces:
            self.tell(facts.medium, "sum-faces-video", found.faces, count=len(faces))
        poses = [track for track in facts.tracks if track.pose is not None]
        if poses:
            self.tell(facts.medium, "sum-poses-video", found.poses, count=len(poses))

    def _spoken(self, facts: MediumFacts, found: MediumEvidence) -> None:
        if found.heard is None:
            return
        if not facts.speech:
            message = "sum-no-words" if facts.voiced_s else "sum-no-speech"
            length = self.texts.duration(facts.voiced_s)
            self.tell(facts.medium, message, [found.heard], length=length)
            return
        lengths: Counter[str] = Counter()
        for speech in facts.speech:
            lengths[speech.language] += speech.to_us - speech.from_us
        spoken = [self.texts.language(code) for code, _ in lengths.most_common()]
        self.tell(
            facts.medium,
            "sum-speech",
            [found.heard, *found.speech],
            times=len(facts.speech),
            words=sum(words_in(speech) for speech in facts.speech),
            length=self.texts.clock(sum(lengths.values()) / 1e6, 0),
            language=self.texts.join(spoken),
        )

    def _surroundings(
        self, facts: MediumFacts, found: MediumEvidence, file_time: str | None
    ) -> None:
        by = list(zip(facts.scenes, found.scenes, strict=True))
        labels = [(scene, id) for scene, id in by if scene.kind == "label"]
        if labels:
            best, evidence = max(labels, key=lambda item: item[0].score)
            share = self.texts.percent(best.score)
            self.tell(facts.medium, "sum-scene", [evidence], label=best.label, score=share)
        place, light = prevailing(facts.scenes, "place"), prevailing(facts.scenes, "light")
        agreeing = [
            id
            for scene, id in by
            if (scene.kind, scene.label) in {("place", place), ("light", light)}
        ]
        ruled = all(scene.source == "rule" for scene, id in by if id in agreeing)
        self.tell(
            facts.medium,
            "sum-surroundings",
            agreeing,
            place=place or "none",
            light=light or "none",
            by="rule" if ruled else "model",
        )
        for kind in ("place", "light"):
            against = disagreeing(facts.scenes, kind)
            if against:
                first, second = (facts.scenes[index] for index in against)
                self.tell(
                    facts.medium,
                    "sum-conflict-scene",
                    [found.scenes[index] for index in against],
                    first=first.label,
                    second=second.label,
                )
        self._clock_against_light(facts, found, file_time, light)

    def _clock_against_light(
        self, facts: MediumFacts, found: MediumEvidence, file_time: str | None, light: str | None
    ) -> None:
        if file_time is None or found.file_time is None or light is None:
            return
        hour = int(file_time[11:13])
        wrong = {"day": DAY_IMPOSSIBLE_HOURS, "night": NIGHT_IMPOSSIBLE_HOURS}.get(light)
        if wrong is None or hour not in wrong:
            return
        evidence = [
            id
            for scene, id in zip(facts.scenes, found.scenes, strict=True)
            if (scene.kind, scene.label) == ("light", light)
        ]
        self.tell(
            facts.medium,
            "sum-conflict-time",
            [found.file_time, *evidence],
            time=file_time[11:16],
            light=light,
        )


def thing(texts: Say, label: str, count: int) -> str:
    """`2 persons`, `1 Bus`; a label without an entry is shown as it is."""
    id = "label-" + re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
    return texts.say(id, count=count) if texts.knows(id) else f"{texts.number(count)} × {label}"


def named(texts: Say, counts: Mapping[str, int]) -> list[str]:
    """`2 persons`, `1 bus`: persons first, then what is there most."""
    ordered = sorted(counts.items(), key=lambda item: (item[0] != "person", -item[1], item[0]))
    return [thing(texts, label, count) for label, count in ordered]


def things(texts: Say, counts: Mapping[str, int]) -> str:
    """`2 persons, 1 bus and 1 dog`."""
    return texts.join(named(texts, counts))


def notable(people: Sequence[Track], width: int | None) -> list[Track]:
    """The few tracks worth a sentence: the nearest, the one that goes furthest, the longest seen."""
    if not people:
        return []
    chosen = [
        max(people, key=lambda t: (t.largest.height, -t.number)),
        max(people, key=lambda t: (abs(t.last.centre_x - t.first.centre_x), -t.number)),
        max(people, key=lambda t: (t.to_us - t.from_us, -t.number)),
    ]
    unique = {track.number: track for track in chosen}
    return sorted(unique.values(), key=lambda track: track.from_us)[:NOTABLE_TRACKS_MAX]


def movement(track: Track, width: int | None) -> str:
    """left-right, right-left, nearer, away, or where it stays: left, middle, right, unknown."""
    if not width:
        return "unknown"
    moved = (track.last.centre_x - track.first.centre_x) / width
    if abs(moved) >= MOVED_SHARE:
        return "left-right" if moved > 0 else "right-left"
    before, after = max(track.first.height, 1.0), max(track.last.height, 1.0)
    if after / before >= GROWN_FACTOR:
        return "nearer"
    if before / after >= GROWN_FACTOR:
        return "away"
    middle = (track.last.centre_x + track.first.centre_x) / 2 / width
    return "left" if middle < 1 / 3 else "right" if middle > 2 / 3 else "middle"


def prevailing(scenes: Sequence[Scene], kind: str) -> str | None:
    """The label of a kind with the highest sum of scores; None where nothing was said."""
    sums: Counter[str] = Counter()
    for scene in scenes:
        if scene.kind == kind:
            sums[scene.label] += scene.score  # type: ignore[assignment]
    return min(sums, key=lambda label: (-sums[label], label)) if sums else None


def disagreeing(scenes: Sequence[Scene], kind: str) -> tuple[int, int] | None:
    """Two statements of a kind about one moment that contradict, by their place; None if none do."""
    seen: dict[int, int] = {}
    for index, scene in enumerate(scenes):
        if scene.kind != kind:
            continue
        first = seen.setdefault(scene.time_us, index)
        if scenes[first].label != scene.label:
            return first, index
    return None


def file_time_of(exif: Mapping[str, Any]) -> str | None:
    """The moment a file says it was taken, `YYYY-MM-DD hh:mm:ss` without zone; None if it does not."""
    flat = {str(name).lower().split(".")[-1].replace(" ", ""): exif[name] for name in exif}
    for group in exif.values():
        if isinstance(group, Mapping):
            flat |= {str(name).lower().split(".")[-1]: value for name, value in group.items()}
    for name in _EXIF_TIMES:
        found = _EXIF_TIME.match(str(flat.get(name, "")))
        if found and int(found[4]) < 24:
            return f"{found[1]}-{found[2]}-{found[3]} {found[4]}:{found[5]}:{found[6] or '00'}"
    return None


def doubtful_words(facts: MediumFacts) -> int:
    """How many words were heard with a score under the named limit."""
    return sum(word.score < WORD_SCORE_DOUBTFUL for speech in facts.speech for word in speech.words)


def _is_nearest(track: Track, people: Sequence[Track]) -> bool:
    others = [other.largest.height for other in people if other.number != track.number]
    return bool(others) and track.largest.height >= NEARER_FACTOR * max(others)


def _showing(track: Track, facts: MediumFacts, found: MediumEvidence) -> list[str]:
    """Pictures of the report in which the track is marked; `shots` and ids run in parallel."""
    return [
        id
        for shot, id in zip(facts.shots, found.shots, strict=False)
        if any(box.track == track.number for box in shot.boxes)
    ][:2]
