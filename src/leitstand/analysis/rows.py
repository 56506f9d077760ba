"""Rows of the page's tables: evidence in words, and what a file says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leitstand.messages import Texts, plain

ROWS_MAX = 8_000
"""Rows of evidence on one page; over it every medium shows its cited and first ones."""
ROWS_PER_MEDIUM_MIN = 20
RESTS_ON_MAX = 12
FACTS_MAX = 60
FACTS_OF_MANY = 15
MANY_MEDIA = 20
VALUE_CHARACTERS_MAX = 240
TEXT_CHARACTERS_MAX = 160


@dataclass(frozen=True, slots=True)
class Row:
    """One finding in words."""

    id: str
    number: str
    what: str
    when: str
    score: str
    by: str
    rests_on: tuple[str, ...]
    more: bool


def evidence_rows(
    told: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], media: int, texts: Texts
) -> tuple[list[Row], str]:
    """Rows of one medium, and a sentence where some had to be left to `report.json`."""
    limit = max(ROWS_MAX // max(media, 1), ROWS_PER_MEDIUM_MIN)
    cited = {id for sentence in told for id in sentence["evidence"]}
    kept = [f for index, f in enumerate(found) if index < limit or f["id"] in cited]
    ids = {finding["id"] for finding in kept}
    rows = [_row(finding, ids, texts) for finding in kept]
    if len(kept) == len(found):
        return rows, ""
    return rows, texts.say("report-evidence-more", shown=len(kept), of=len(found))


def _row(finding: Mapping[str, Any], ids: set[str], texts: Texts) -> Row:
    rests_on = [id for id in finding.get("evidence", ()) if id in ids]
    return Row(
        id=finding["id"],
        number=finding["id"][1:],
        what=_what(finding, texts),
        when=_when(finding, texts),
        score=texts.number(finding["score"], 2) if "score" in finding else "–",
        by=_by(finding, texts),
        rests_on=tuple(rests_on[:RESTS_ON_MAX]),
        more=len(finding.get("evidence", ())) > min(len(rests_on), RESTS_ON_MAX),
    )


def _what(finding: Mapping[str, Any], texts: Texts) -> str:
    kind, label = finding["kind"], finding["label"]
    say = texts.say
    values = finding.get("values", {})
    match kind:
        case "object" | "mask":
            return say(f"report-kind-of-{kind}", label=name_of(label, texts))
        case "track":
            return say("report-kind-of-track", number=finding["track"], label=name_of(label, texts))
        case "scene":
            id = f"report-kind-of-scene-{finding['aspect']}"
            return say(id if texts.knows(id) else "report-kind-of-other", label=label)
        case "speech":
            return say("report-kind-of-speech", text=_cut(finding["text"], TEXT_CHARACTERS_MAX))
        case "face" | "pose" | "picture":
            return say(f"report-kind-of-{kind}")
    match label:
        case "person-count":
            mean = texts.number(values["mean"], 1)
            return say(
                "report-kind-of-person-count", low=values["low"], high=values["high"], mean=mean
            )
        case "no-person":
            return say("report-kind-of-no-person", frames=values["frames"])
        case "speech":
            return say("report-kind-of-speech-total", times=values["times"])
        case "no-speech" | "no-words" | "nothing-recognised":
            return say(f"report-kind-of-{label}")
        case "file-time":
            return say("report-kind-of-file-time", text=finding["text"])
    return say("report-kind-of-other", label=label)


def name_of(label: str, texts: Texts) -> str:
    """`person`, `Person`: a class without its count."""
    id = f"label-{label.replace(' ', '-')}"
    return texts.say(f"{id}.name") if texts.knows(id) else plain(label)


def _when(finding: Mapping[str, Any], texts: Texts) -> str:
    parts = []
    if "interval" in finding:
        start, end = finding["interval"]
        parts.append(f"{texts.clock(start)}–{texts.clock(end)}")
    elif "time" in finding and finding["time"] > 0:
        parts.append(texts.clock(finding["time"]))
    if "frames" in finding and finding["frames"] > 1:
        parts.append(texts.say("report-frames", count=finding["frames"]))
    if "box" in finding and "interval" not in finding:
        x0, y0, x1, y1 = (texts.number(value, 0) for value in finding["box"])
        parts.append(texts.say("report-box", x0=x0, y0=y0, x1=x1, y1=y1))
    if "fraction" in finding:
        parts.append(texts.percent(finding["fraction"], 1))
    return ", ".join(parts) or "–"


def _by(finding: Mapping[str, Any], texts: Texts) -> str:
    model, rule = finding["model"], finding.get("rule")
    named = f"{plain(model['name'])} {plain(model['version'])}" if model else ""
    if model and rule == "bytetrack":
        return texts.say("report-by-track", model=named)
    return named or (texts.say("report-by-rule", name=rule) if rule else "–")


def fact_rows(medium: Mapping[str, Any], media: int, texts: Texts) -> list[tuple[str, str]]:
    """Technical facts and EXIF as (dotted name, value), cut where there are very many."""
    limit = FACTS_MAX if media <= MANY_MEDIA else FACTS_OF_MANY
    rows = [("sha256", medium["sha256"] or "–"), ("bytes", texts.number(medium["bytes"]))]
    rows += _flat("", medium["technical"])
    rows += _flat("exif", medium["exif"])
    if len(rows) > limit:
        more = texts.say("report-facts-more", count=len(rows) - limit)
        rows = [*rows[:limit], ("…", more)]
    return rows


def _flat(prefix: str, value: Any, depth: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth < 6:
        for name, inner in value.items():
            dotted = f"{prefix}.{name}" if prefix else str(name)
            yield from _flat(_cut(dotted, 80), inner, depth + 1)
    elif isinstance(value, list | tuple):
        yield prefix, _cut(", ".join(str(item) for item in value), VALUE_CHARACTERS_MAX)
    else:
        yield prefix, "–" if value is None else _cut(str(value), VALUE_CHARACTERS_MAX)


def _cut(text: str, limit: int) -> str:
    shown = plain(text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
