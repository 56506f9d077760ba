"""What the control plane hands to `fuse`: the document `leitstand.inputs/1`.

It names everything a report depends on, so a report can be made again, bit for bit, from this
document and the result objects it names. Parsed once here; nothing behind it reads the raw JSON.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leitstand.core.facts import Hole, Span

SCHEMA = "leitstand.inputs/1"

Json = Mapping[str, Any]

_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reason:
    """A catalogue code with its parameters."""

    code: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MediumInput:
    """One file of the job: what intake learned, and how its analysis ended."""

    id: str
    name: str
    sha256: str | None
    kind: str | None
    bytes: int
    state: str
    reason: Reason | None
    technical: Json
    exif: Json
    gaps: tuple[Hole, ...]
    segments: Mapping[tuple[str, int], Span]

    @property
    def duration_us(self) -> int | None:
        """Length by the container, else by the segments."""
        seconds = self.technical.get("duration_s")
        if isinstance(seconds, int | float) and seconds > 0:
            return round(seconds * 1e6)
        return max((span[1] for span in self.segments.values()), default=0) or None


@dataclass(frozen=True, slots=True)
class ResultInput:
    """One committed result object."""

    object_id: str
    pipeline: str
    medium: str
    stream: str
    segment: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The whole document. Rows that a report only shows stay as they came."""

    made_at: str
    lang: str
    job: Json
    case: Json
    media: tuple[MediumInput, ...]
    results: tuple[ResultInput, ...]
    steps: tuple[Json, ...]
    instances: tuple[Json, ...]
    models: tuple[Json, ...]
    missing: tuple[Json, ...]
    costs: Json
    ledger: Json
    sha256: str
    """Of the document as canonical JSON: what the report was made from."""

    @classmethod
    def parse(cls, document: Json) -> Inputs:
        """Raises ValueError where the document is not what the schema says."""
        if document.get("schema") != SCHEMA:
            raise ValueError(f"not a {SCHEMA} document")
        sha256 = _digest(document)
        document = _clean(document)
        try:
            return cls(
                made_at=str(document["made_at"]),
                lang=str(document["lang"]),
                job=document["job"],
                case=document["case"],
                media=tuple(_medium(medium) for medium in document["media"]),
                results=tuple(_result(result) for result in document["results"]),
                steps=tuple(document.get("steps", ())),
                instances=tuple(document.get("instances", ())),
                models=tuple(document.get("models", ())),
                missing=tuple(document.get("missing", ())),
                costs=document.get("costs") or {},
                ledger=document.get("ledger") or {},
                sha256=sha256,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{SCHEMA}: {error!r}") from error

    def results_of(self, medium: str) -> list[ResultInput]:
        """Results of one medium in the order of the fold, each segment and pipeline once."""
        found = {
            (result.stream, result.segment, result.pipeline): result
            for result in self.results
            if result.medium == medium and result.pipeline != "fuse"
        }
        return [found[key] for key in sorted(found)]


def _medium(raw: Json) -> MediumInput:
    reason = raw.get("reason")
    return MediumInput(
        id=str(raw["id"]),
        name=str(raw["name"]),
        sha256=raw.get("sha256"),
        kind=raw.get("kind"),
        bytes=int(raw.get("bytes") or 0),
        state=str(raw["state"]),
        reason=Reason(str(reason["code"]), reason.get("params") or {}) if reason else None,
        technical=raw.get("technical") or {},
        exif=raw.get("exif") or {},
        gaps=tuple(
            Hole(str(gap.get("stream") or ""), int(gap["from_us"]), int(gap["to_us"]), str(reason_))
            for gap in raw.get("gaps") or ()
            for reason_ in (gap.get("reason") or "unreadable",)
        ),
        segments={
            (str(s["stream"]), int(s["number"])): (int(s["from_us"]), int(s["to_us"]))
            for s in raw.get("segments") or ()
        },
    )


def _result(raw: Json) -> ResultInput:
    return ResultInput(
        object_id=str(raw["object_id"]),
        pipeline=str(raw["pipeline"]),
        medium=str(raw["medium"]),
        stream=str(raw["stream"]),
        segment=int(raw["segment"]),
    )


def _clean(value: Any) -> Any:
    """Lone surrogates, as odd file names have them, become U+FFFD: a report is valid UTF-8."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {_clean(name): _clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def _digest(document: Json) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
