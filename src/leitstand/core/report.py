"""The report `leitstand.report/1`: put together from facts, checked, and compared.

`docs/formats/report.md` describes the document, `formats/report.schema.json` is its schema. The
same inputs give the same document: nothing here reads a clock or draws a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import floor
from typing import Any, Protocol

from leitstand.core.evidence import Evidence, seconds
from leitstand.core.facts import WORD_SCORE_DOUBTFUL, MediumFacts
from leitstand.core.inputs import Inputs, MediumInput
from leitstand.core.profile import BLURRED_BY, pipeline_of
from leitstand.core.summary import (
    Say,
    Summary,
    doubtful_words,
    file_time_of,
    named,
    prevailing,
)

SCHEMA = "leitstand.report/1"
PROMISES = ("n1", "n2", "n3", "n4", "n5", "n6")
"""What is not promised (`docs/security.md` N1 to N6); every report says it in these words."""

Report = dict[str, Any]

_FAMILIES = {
    "image": ("detector", "face", "pose", "scene", "silhouette"),
    "video": ("detector", "face", "pose", "scene"),
    "audio": ("voice", "speech"),
}


class Words(Say, Protocol):
    """What of `messages.Texts` a whole report needs."""

    @property
    def lang(self) -> str: ...

    def problem(
        self, code: str, params: Mapping[str, Any]
    ) -> tuple[str, str | None, str | None]: ...


def assemble(
    inputs: Inputs, facts: Sequence[MediumFacts], texts: Words, pictures_of: int
) -> Report:
    """The report document. `facts` are in the order of `inputs.media` and hold the pictures that
    are shown; `pictures_of` is how many there were."""
    models = [_model(model) for model in inputs.models]
    evidence = Evidence({str(m["family"]): {k: m[k] for k in _MODEL_KEYS} for m in models})
    summary = Summary(texts)
    known = {fact.medium: fact for fact in facts}
    media, gaps, not_known = [], [], _NotKnown(texts, len(inputs.media) == 1)
    for medium in inputs.media:
        fact = known.get(medium.id, MediumFacts(medium.id))
        file_time = file_time_of(medium.exif)
        found = evidence.medium(fact, file_time)
        summary.medium(fact, found, file_time)
        media.append(_medium(medium, fact, texts))
        gaps += _gaps(medium, fact, texts)
        not_known.medium(medium, fact)
    shown = sum(len(fact.shots) for fact in facts)
    not_known.job(inputs, facts, gaps, shown, pictures_of)
    return {
        "schema": SCHEMA,
        "id": "report_" + str(inputs.job["id"]).partition("_")[2],
        "made_at": inputs.made_at,
        "lang": texts.lang,
        "case": dict(inputs.case),
        "job": dict(inputs.job),
        "media": media,
        "findings": evidence.findings,
        "steps": [_step(step, models) for step in inputs.steps],
        "summary": summary.sentences,
        "not_known": not_known.lines,
        "costs": dict(inputs.costs),
        "gaps": gaps,
        "provenance": {
            "inputs": {"schema": "leitstand.inputs/1", "sha256": inputs.sha256},
            "instances": [dict(instance) for instance in inputs.instances],
            "models": models,
            "missing": [dict(missing) for missing in inputs.missing],
            "ledger": dict(inputs.ledger),
            "pictures": {"shown": shown, "of": pictures_of},
            "measured": [
                {"media": fact.medium, "pose_per_second": round(fact.pose_per_second, 1)}
                for fact in facts
                if fact.pose_per_second is not None
            ],
            "promises": [
                {"id": id.upper(), "sentence": texts.say(f"promise-{id}")} for id in PROMISES
            ],
        },
    }


_PROBE = "\ue000"
"""A private character in place of a name: does the sentence of a problem say whose it is?"""
_MODEL_KEYS = ("name", "version", "sha256")


def _model(raw: Mapping[str, Any]) -> dict[str, Any]:
    model = {key: value for key, value in raw.items() if key != "digest"}
    return {**model, "sha256": raw.get("digest") or raw.get("sha256")}


def _step(step: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    families = _FAMILIES.get(str(step.get("name")), ())
    used = [{k: m[k] for k in _MODEL_KEYS} for m in models if m["family"] in families]
    return {**step, "models": used}


def _medium(medium: MediumInput, facts: MediumFacts, texts: Words) -> dict[str, Any]:
    reason = None
    if medium.reason is not None:
        params = {"name": medium.name, **medium.reason.params}
        what, why, do = texts.problem(medium.reason.code, params)
        reason = {
            "code": medium.reason.code,
            "params": dict(medium.reason.params),
            "what": what,
            "why": why,
            "do": do,
        }
    length = medium.duration_us
    return {
        "id": medium.id,
        "name": medium.name,
        "sha256": medium.sha256,
        "kind": medium.kind,
        "bytes": medium.bytes,
        "duration_s": seconds(length) if length and medium.kind != "image" else None,
        "state": medium.state,
        "reason": reason,
        "technical": dict(medium.technical),
        "exif": dict(medium.exif),
        "headline": headline_of(facts) if medium.state != "failed" else None,
    }


def headline_of(facts: MediumFacts) -> dict[str, Any]:
    """The few facts that one line about a medium is made of, without words."""
    counts: dict[str, int] = {}
    for seen in facts.objects:
        counts[seen.label] = counts.get(seen.label, 0) + 1
    people = [track for track in facts.tracks if track.label == "person"]
    languages: dict[str, int] = {}
    for speech in facts.speech:
        length = speech.to_us - speech.from_us
        languages[speech.language] = languages.get(speech.language, 0) + length
    return {
        "objects": counts,
        "faces": len(facts.faces),
        "face_tracks": sum(track.label == "face" for track in facts.tracks),
        "tracks": len(people) if facts.count is not None else None,
        "persons_mean": round(facts.count.mean, 2) if facts.count is not None else None,
        "persons_most": facts.count.high if facts.count is not None else None,
        "place": prevailing(facts.scenes, "place"),
        "light": prevailing(facts.scenes, "light"),
        "words": sum(len(s.words) or len(s.text.split()) for s in facts.speech)
        if "audio" in facts.looked
        else None,
        "voiced_s": facts.voiced_s,
        "language": max(languages, key=lambda code: (languages[code], code), default=None),
    }


def headline(facts: Mapping[str, Any], texts: Say) -> str:
    """One line about a medium from `headline_of`: `23 tracks, 6.6 persons on average; no speech`."""
    parts = []
    if facts["tracks"] == 0 and facts["persons_most"]:
        parts.append(texts.say("head-unfollowed", high=facts["persons_most"]))
    elif facts["tracks"] is not None:
        mean = texts.number(facts["persons_mean"], 1)
        parts.append(texts.say("head-tracks", tracks=facts["tracks"], mean=mean))
    elif facts["objects"]:
        parts.append(", ".join(named(texts, facts["objects"])))
    if not facts["persons_most"] and not facts["objects"].get("person"):
        if facts["faces"]:
            parts.append(texts.say("head-faces", faces=facts["faces"]))
        if facts["face_tracks"]:
            parts.append(texts.say("head-face-tracks", tracks=facts["face_tracks"]))
    if facts["place"] or facts["light"]:
        surroundings = {"place": facts["place"] or "none", "light": facts["light"] or "none"}
        parts.append(texts.say("head-surroundings", **surroundings))
    if facts["words"]:
        language = texts.language(facts["language"])
        parts.append(texts.say("head-words", words=facts["words"], language=language))
    elif facts["words"] is not None:
        parts.append(texts.say("head-no-words" if facts["voiced_s"] else "head-no-speech"))
    return "; ".join(parts) or texts.say("head-nothing")


def _gaps(medium: MediumInput, facts: MediumFacts, texts: Words) -> list[dict[str, Any]]:
    return [
        {
            "media": medium.id,
            "stream": hole.stream or None,
            "from_s": 0.0 if medium.kind == "image" else seconds(hole.from_us),
            "to_s": 0.0 if medium.kind == "image" else seconds(hole.to_us),
            "reason": hole.reason,
            "sentence": _gap_words(texts, medium, hole.reason),
        }
        for hole in facts.holes
    ]


def _gap_words(texts: Say, medium: MediumInput, reason: str) -> str:
    """Why a stretch is missing; of a picture, how much there is instead of when."""
    if medium.kind == "image" and reason == "truncated":
        return texts.say("gap-image-truncated", share=readable_share(medium.technical, texts))
    return gap_words(texts, reason)


def readable_share(technical: Mapping[str, Any], texts: Say) -> str:
    """How much of a picture that is cut short is there at least, `none` where that is unknown."""
    image = technical.get("image")
    share = image.get("readable") if isinstance(image, Mapping) else None
    if not isinstance(share, int | float) or not 0 < share < 1:
        return "none"
    return texts.percent(floor(100 * share) / 100)


def gap_words(texts: Say, reason: str) -> str:
    """Why a stretch is missing, in words; an unknown code is named."""
    id = f"gap-{reason}"
    return texts.say(id) if texts.knows(id) else texts.say("gap-other", code=reason)


def _pictures_in(medium: MediumInput) -> int:
    """How many pictures an image file holds: an animation or a file of pages has several."""
    image = medium.technical.get("image")
    frames = image.get("frames") if medium.kind == "image" and isinstance(image, Mapping) else None
    return frames if isinstance(frames, int) else 1


class _NotKnown:
    """The list of what the report does not know, in the order a reader needs it."""

    def __init__(self, texts: Words, single: bool) -> None:
        self.lines: list[dict[str, Any]] = []
        self._texts = texts
        self._single = single

    def add(self, message: str, medium: str | None = None, **params: Any) -> None:
        sentence = self._texts.say(message, **params)
        self.lines.append({"message": message, "media": medium, "sentence": sentence})

    def medium(self, medium: MediumInput, facts: MediumFacts) -> None:
        """What is missing of one medium."""
        clock = self._texts.clock
        name = "none" if self._single else medium.name
        if medium.state == "failed":
            failure = medium.reason
            params = {"name": medium.name, **failure.params} if failure else {}
            code = failure.code if failure else "unnamed"
            what, _, _ = self._texts.problem(code, params)
            probe, _, _ = self._texts.problem(code, {**params, "name": _PROBE})
            named = "yes" if _PROBE in probe else "no"
            self.add("unknown-failed", medium.id, name=medium.name, what=what, named=named)
            return
        for hole in facts.holes:
            reason = _gap_words(self._texts, medium, hole.reason)
            if medium.kind == "image":
                self.add("unknown-gap-image", medium.id, name=name, reason=reason)
                continue
            self.add(
                "unknown-gap",
                medium.id,
                name=name,
                start=clock(hole.from_us / 1e6),
                end=clock(hole.to_us / 1e6),
                stream=pipeline_of(hole.stream) if hole.stream else "none",
                reason=reason,
            )
        pictures = _pictures_in(medium)
        if pictures > 1:
            self.add("unknown-further-pictures", medium.id, name=name, count=pictures)
        streams = {stream for stream, _ in medium.segments}
        for pipeline in sorted({pipeline_of(stream) for stream in streams} - set(facts.looked)):
            self.add("unknown-stream", medium.id, name=name, stream=pipeline)
        doubtful = doubtful_words(facts)
        if doubtful:
            limit = self._texts.percent(WORD_SCORE_DOUBTFUL)
            self.add("unknown-words", medium.id, name=name, count=doubtful, limit=limit)

    def job(
        self,
        inputs: Inputs,
        facts: Sequence[MediumFacts],
        gaps: Sequence[Mapping[str, Any]],
        shown: int,
        of: int,
    ) -> None:
        """What holds for all media."""
        for missing in inputs.missing:
            family = str(missing.get("family"))
            id = f"family-{family}"
            name = self._texts.say(id) if self._texts.knows(id) else family
            self.add("unknown-model", what=name)
        if of == 0 and {missing.get("family") for missing in inputs.missing} & BLURRED_BY:
            self.add("unknown-unblurred")
        if any(fact.objects or fact.tracks or fact.count for fact in facts):
            self.add("unknown-missed")
        if any(scene.source == "rule" for fact in facts for scene in fact.scenes):
            self.add("unknown-rules")
        if shown < of:
            self.add("unknown-pictures", shown=shown, of=of)
        self.add("unknown-never")


# --- checking -------------------------------------------------------------------------------


def check(report: Mapping[str, Any]) -> list[str]:
    """What is wrong with a report, in plain words; empty when every promise about it holds.

    Every sentence cites evidence, every cited id is a finding, every finding and gap belongs to a
    medium of the report, one with a gap is not done, ids are unique, intervals and scores make sense.
    """
    wrong: list[str] = []
    media = [medium["id"] for medium in report["media"]]
    ids = [finding["id"] for finding in report["findings"]]
    for name, listed in (("medium", media), ("finding", ids)):
        if len(set(listed)) != len(listed):
            wrong.append(f"a {name} id stands twice")
    known, owners = set(ids), set(media)
    for finding in report["findings"]:
        wrong += _check_finding(finding, known, owners)
    for sentence in report["summary"]:
        cited = sentence["evidence"]
        if not cited:
            wrong.append(f"{sentence['id']} cites nothing: {sentence['sentence']}")
        wrong += [
            f"{sentence['id']} cites {id}, which is not there" for id in cited if id not in known
        ]
    for gap in report["gaps"]:
        if gap["media"] not in owners:
            wrong.append(f"a gap belongs to {gap['media']}, which is not there")
    holed = {gap["media"] for gap in report["gaps"]}
    for medium in report["media"]:
        if medium["state"] == "done" and medium["id"] in holed:
            wrong.append(f"{medium['name']} is done and has a gap")
        if medium["state"] == "failed" and not medium["reason"]:
            wrong.append(f"{medium['name']} failed without a reason")
    return wrong


def _check_finding(finding: Mapping[str, Any], known: set[str], owners: set[str]) -> Iterator[str]:
    id = finding["id"]
    if finding["media"] not in owners:
        yield f"{id} belongs to {finding['media']}, which is not there"
    for cited in finding.get("evidence", ()):
        if cited not in known:
            yield f"{id} cites {cited}, which is not there"
    start, end = finding.get("interval", (0, 0))
    if start > end:
        yield f"{id} ends before it begins"
    if not 0 <= finding.get("score", 0) <= 1:
        yield f"{id} has the score {finding['score']}"


def with_shots(facts: MediumFacts, keep: Sequence[int]) -> MediumFacts:
    """The facts with only the pictures at these places."""
    return replace(facts, shots=tuple(facts.shots[index] for index in sorted(keep)))
