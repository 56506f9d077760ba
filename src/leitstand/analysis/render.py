"""The report as one page: opens offline, asks nobody for anything, prints on A4.

All text goes through Jinja2 with escaping on. The page's policy admits its one style and its one
script by their hashes and pictures from the page itself, nothing else; everything but the search
field works without the script. The look is that of the console (`docs/formats/report.md`).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from leitstand.analysis.page import Images, media_views
from leitstand.core.facts import MediumFacts
from leitstand.core.medium import INBOX
from leitstand.core.report import Report, gap_words
from leitstand.messages import Texts, plain

__all__ = ["Images", "render"]

_DIGEST_SHOWN = 12


def render(
    report: Report, facts: Sequence[MediumFacts], images: Mapping[str, Images], texts: Texts
) -> str:
    """The page. `facts` are in the order of the report's media, `images` are JPEGs by digest."""
    views = media_views(report, facts, images, texts)
    css, js = _css(texts), _asset("report.js")
    heading = _heading(report, texts)
    return _template().render(
        say=texts.say,
        clock=texts.clock,
        lang=texts.lang,
        policy=_policy(css, js),
        css=Markup(css),  # noqa: S704 - our own asset, and the policy names its hash
        js=Markup(js),  # noqa: S704 - our own asset, and the policy names its hash
        title=f"{plain(heading)} · Leitstand",
        short_id=short(report["id"]),
        heading=plain(heading),
        about=_about(report, heading, texts),
        media=views,
        not_known=[line["sentence"] for line in report["not_known"]],
        origin=_origin(report, texts),
        steps=_steps(report, texts),
        models=_models(report, texts),
        costs=_costs(report, texts),
        total=texts.euros(report["costs"].get("total_eur", "0")),
        promises=report["provenance"]["promises"],
        find_words=_find_words(texts),
        hole_words=lambda hole: texts.say(
            "report-gap-mark",
            length=texts.duration(hole.seconds),
            reason=gap_words(texts, hole.reason),
        ),
    )


def short(id: str) -> str:
    """An id as people say it: `report_01KAR…71c0` → `r-71c0`."""
    noun, _, rest = id.partition("_")
    return f"{noun[:1]}-{rest[-4:].lower()}" if rest else plain(id)


@cache
def _asset(name: str) -> str:
    return (resources.files("leitstand") / "analysis" / name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(_asset("report.html.j2").lstrip())


def _css(texts: Texts) -> str:
    """The style, with the foot of printed pages in the language of the report."""
    quoted = {
        name: '"' + texts.say(f"report-{name}").replace("\\", "").replace('"', "") + '"'
        for name in ("foot", "page", "page-of")
    }
    foot = (
        "@page { size: A4; margin: 15mm 15mm 20mm; font: 7.5pt/10pt Inter, system-ui, sans-serif;"
        f" @bottom-left {{ content: {quoted['foot']}; color: #454a47; width: 82%;"
        " border-top: 0.5pt solid #dcdad2; padding-top: 6pt; vertical-align: top; }"
        f' @bottom-right {{ content: {quoted["page"]} " " counter(page) " " {quoted["page-of"]}'
        ' " " counter(pages); color: #454a47; width: 18%; border-top: 0.5pt solid #dcdad2;'
        " padding-top: 6pt; vertical-align: top; } }\n"
    )
    return _asset("report.css") + foot


def _policy(css: str, js: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; style-src 'sha256-{digest(css)}'; script-src 'sha256-{digest(js)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _heading(report: Report, texts: Texts) -> str:
    """The case's title; without a real case the file's name, or how many there are."""
    title = str(report["case"].get("title") or "").strip()
    if title and title != INBOX:
        return title
    media = report["media"]
    if len(media) == 1:
        return str(media[0]["name"])
    return texts.say("report-media-count", count=len(media))


def _about(report: Report, heading: str, texts: Texts) -> str:
    """What was analysed and when, after the case where the heading does not name it."""
    start, end = _period(report)
    period = (
        texts.say("report-moment", at=texts.time(end))
        if texts.time(start) == texts.time(end)
        else texts.say("report-period", start=texts.time(start), end=texts.time(end))
    )
    what = _subject(report, texts, date=texts.date(end), time=period)
    title = str(report["case"].get("title") or report["case"]["id"])
    return what if title == heading else f"{texts.say('report-case', title=title)} {what}"


def _subject(report: Report, texts: Texts, **when: str) -> str:
    media = report["media"]
    usable = [medium for medium in media if medium["state"] != "failed"]
    if not usable:
        return texts.say("report-about-none", **when)
    if len(media) == 1:
        length = texts.clock(usable[0]["duration_s"] or 0.0)
        return texts.say(f"report-about-{usable[0]['kind']}", length=length, **when)
    counts = {
        kind: sum(medium["kind"] == kind for medium in usable)
        for kind in ("image", "video", "audio")
    }
    parts = [texts.say(f"report-{kind}s", count=count) for kind, count in counts.items() if count]
    if len(usable) < len(media):
        parts.append(texts.say("report-unreadables", count=len(media) - len(usable)))
    return texts.say("report-about-many", count=len(media), kinds=texts.join(parts), **when)


def _period(report: Report) -> tuple[datetime, datetime]:
    """From the first step to the last, else the moment the report was made."""
    made = instant(report["made_at"]) or datetime.fromtimestamp(0, UTC)
    starts = [at for step in report["steps"] if (at := instant(step.get("started_at")))]
    ends = [at for step in report["steps"] if (at := instant(step.get("ended_at")))]
    return min(starts, default=made), max([*ends, *starts], default=made)


def instant(text: object) -> datetime | None:
    """An RFC 3339 instant in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _moment(text: object, texts: Texts) -> str:
    at = instant(text)
    return f"{texts.day(at)} {texts.time(at, seconds=True)}" if at else "–"


def _origin(report: Report, texts: Texts) -> list[tuple[str, str, str]]:
    say, provenance = texts.say, report["provenance"]
    rows: list[tuple[str, str, str]] = []
    for medium in report["media"][:5]:
        digest = f"{medium['sha256'][:_DIGEST_SHOWN]}…" if medium["sha256"] else ""
        facts = [plain(medium["name"]), texts.size(medium["bytes"])]
        rows.append(
            (say("report-file"), ", ".join(facts) + (", SHA-256" if digest else ""), digest)
        )
    if len(report["media"]) > 5:
        rows.append(
            (say("report-media"), say("report-media-count", count=len(report["media"])), "")
        )
    models = [f"{plain(m['name'])} {plain(m['version'])}" for m in provenance["models"]]
    rows.append((say("report-models"), ", ".join(models) or "–", ""))
    machines = [_machine(instance, texts) for instance in provenance["instances"]]
    rows += [(say("report-machine"), machine, "") for machine in machines[:8]]
    costs = report["costs"]
    line = say(
        "report-costs-line",
        total=texts.euros(costs.get("total_eur", "0")),
        until=_moment(report["made_at"], texts),
        reserved=texts.euros(costs.get("reserved_eur", "0")),
        job=short(report["job"]["id"]),
    )
    rows.append((say("report-costs"), line, ""))
    for measured in provenance["measured"][:5]:
        rate = texts.number(measured["pose_per_second"], 1)
        rows.append((say("report-measured"), say("report-measured-pose", rate=rate), ""))
    ledger = provenance["ledger"]
    if ledger.get("size"):
        root = str(ledger.get("root", ""))[:_DIGEST_SHOWN] + "…"
        rows.append(
            (say("report-ledger"), say("report-ledger-line", size=ledger["size"], root=root), "")
        )
    inputs = provenance["inputs"]
    rows.append((say("report-inputs"), inputs["schema"], f"{inputs['sha256'][:_DIGEST_SHOWN]}…"))
    return rows


def _machine(instance: Mapping[str, Any], texts: Texts) -> str:
    what = [instance.get("gpu"), instance.get("provider"), instance.get("region")]
    return texts.say(
        "report-machine-line",
        id=short(str(instance["id"])),
        what=", ".join(plain(str(part)) for part in what if part) or "–",
        tier=str(instance.get("tier") or "–"),
    )


def _steps(report: Report, texts: Texts) -> list[dict[str, str]]:
    names = {medium["id"]: plain(medium["name"]) for medium in report["media"]}

    def known(prefix: str, word: object) -> str:
        id = f"report-{prefix}-{word}"
        return texts.say(id) if texts.knows(id) else plain(str(word or "–"))

    rows = []
    for step in report["steps"]:
        start, end = instant(step.get("started_at")), instant(step.get("ended_at"))
        stages = step.get("stage_seconds") or {}
        rows.append(
            {
                "name": known("pipeline", step["name"]),
                "medium": names.get(step.get("media"), "–"),
                "started": _moment(step.get("started_at"), texts),
                "took": texts.duration((end - start).total_seconds()) if start and end else "–",
                "instance": short(str(step["instance"])) if step.get("instance") else "–",
                "outcome": known("outcome", step.get("outcome")),
                "stages": ", ".join(
                    f"{known('stage', name)} {texts.duration(taken)}"
                    for name, taken in sorted(stages.items(), key=lambda item: -item[1])
                )
                or "–",
            }
        )
    return rows


def _models(report: Report, texts: Texts) -> list[dict[str, str]]:
    rows = []
    for model in report["provenance"]["models"]:
        family = str(model.get("family", ""))
        id = f"family-{family}"
        rows.append(
            {
                "family": texts.say(id) if texts.knows(id) else plain(family),
                "name": plain(model["name"]),
                "version": plain(model["version"]),
                "licence": plain(str(model.get("licence") or "–")),
                "sha256": model["sha256"] or "–",
            }
        )
    return rows


def _costs(report: Report, texts: Texts) -> list[dict[str, str]]:
    return [
        {
            "instance": short(str(line["instance"])) if line.get("instance") else "–",
            "start": _moment(line.get("from"), texts),
            "end": _moment(line.get("to"), texts),
            "amount": texts.euros(line["amount_eur"]),
        }
        for line in report["costs"].get("lines", ())
    ]


def _find_words(texts: Texts) -> str:
    forms = {"none": 0, "one": 1, "many": 2}
    said = {name: texts.say("report-found-words", count=count) for name, count in forms.items()}
    said["many"] = said["many"].replace("2", "#")
    return json.dumps(said, ensure_ascii=False)
