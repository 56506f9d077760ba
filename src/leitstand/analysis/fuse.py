"""The last task of a job: all results in, one report out.

Every result object is read once, in order; the few that hold a picture the report shows are read a
second time, so that a long video's pictures never lie in memory together. The same inputs document
and objects give the same report, bit for bit.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import jsonschema

from leitstand.analysis.choose import PAGE_BYTES_MAX, PICTURE_BYTES_MAX, choose, wanted
from leitstand.analysis.fold import MediumFold, SegmentResult, merge
from leitstand.analysis.render import Images, render
from leitstand.core.facts import MediumFacts, Shot
from leitstand.core.finding import Line, Picture
from leitstand.core.inputs import Inputs, MediumInput
from leitstand.core.report import Report, assemble, check, with_shots
from leitstand.messages import Texts

__all__ = ["Fused", "Inputs", "ReportError", "fuse", "validate"]

PICTURE_BUDGETS = (PICTURE_BYTES_MAX, PICTURE_BYTES_MAX // 2, PICTURE_BYTES_MAX // 8, 0)
"""Tried in turn until the page is small enough; what is left out is said in the report."""

Results = Callable[[str], Iterator[Line]]


class ReportError(Exception):
    """The report would break a promise about reports: our mistake, so it is not delivered."""


@dataclass(frozen=True, slots=True)
class Fused:
    """A report as a document and as one page that opens offline."""

    report: Report
    html: str


def fuse(inputs: Inputs, results: Results, advance: Callable[[], object]) -> Fused:
    """Links, resolves and writes. `results` gives the lines of an object and may be asked twice;
    `advance` is called after every part of the work that reads none: on it hangs the lease.

    Raises Problem for an unknown language, ReportError if the outcome fails its own checks.
    """
    texts = Texts(inputs.lang)
    everything = []
    for medium in inputs.media:
        everything.append(_facts(inputs, medium, results))
        advance()
    pictures_of = sum(map(len, wanted(everything)))
    for budget in PICTURE_BUDGETS:
        kept = choose(everything, budget)
        facts = [with_shots(fact, keep) for fact, keep in zip(everything, kept, strict=True)]
        report = assemble(inputs, facts, texts, pictures_of)
        advance()
        images = {fact.medium: _images(fact.shots, results) for fact in facts}
        advance()
        html = render(report, facts, images, texts)
        advance()
        if len(html.encode()) <= PAGE_BYTES_MAX:
            break
    wrong = validate(report)
    advance()
    if wrong:
        raise ReportError("; ".join(wrong[:5]))
    return Fused(report, html)


def validate(report: Report) -> list[str]:
    """What is wrong with a report: against its schema, then against its promises."""
    errors = sorted(_validator().iter_errors(report), key=lambda error: list(map(str, error.path)))
    wrong = [
        f"{'/'.join(map(str, error.absolute_path)) or 'report'}: {error.message[:200]}"
        for error in errors[:20]
    ]
    return wrong or check(report)


def _facts(inputs: Inputs, medium: MediumInput, results: Results) -> MediumFacts:
    fold = MediumFold(medium.id, medium.kind or "", dict(medium.segments))
    for result in inputs.results_of(medium.id):
        place = SegmentResult(result.object_id, result.pipeline, result.stream, result.segment)
        fold.take(place, results(result.object_id))
    fold.holes = list(merge((*fold.holes, *medium.gaps)))
    return fold.facts(medium.duration_us)


def _images(shots: Sequence[Shot], results: Results) -> Images:
    """The JPEGs of the shots by their digest."""
    wanted = {(shot.time_us, shot.object_id): shot for shot in shots}
    found: Images = {}
    for object_id in dict.fromkeys(shot.object_id for shot in shots):
        for line in results(object_id):
            if isinstance(line, Picture) and (line.time_us, object_id) in wanted:
                shot = wanted[line.time_us, object_id]
                found[shot.sha256] = base64.b64decode(line.jpeg_base64)
    return found


@cache
def _validator() -> Any:
    text = (resources.files("leitstand") / "formats" / "report.schema.json").read_text("utf-8")
    schema = json.loads(text)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)
