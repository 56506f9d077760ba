"""How a followed job ends for the person who waited: what happened, and what to type next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from leitstand.cli import reports
from leitstand.cli.batch import Batch
from leitstand.cli.follow import Ending
from leitstand.cli.options import Session
from leitstand.cli.plans import clock
from leitstand.cli.release import GONE, instances_of
from leitstand.client import Client
from leitstand.core.problem import Exit, Problem
from leitstand.core.report import headline, readable_share
from leitstand.output import Output, cut, pad, short

NAMES_MAX = 5


def conclude(session: Session, ending: Ending, out: str | None, found: Batch | None = None) -> int:
    """Print the end, write the report, and say the exit code."""
    state = str(ending.job.get("state"))
    if state == "done":
        return _done(session, ending, out, found or Batch())
    if state == "held":
        return _held(session, ending)
    if state == "cancelled":
        return _cancelled(session, ending)
    return _failed(session, ending)


def _named(output: Output, ending: Ending) -> list[Mapping[str, Any]]:
    """The media of the job, with the names they had before they were erased."""
    erased = output.say("cli-name-erased")
    return [
        {**medium, "name": medium.get("name") or ending.names.get(str(medium["id"]), erased)}
        for medium in ending.job.get("media") or ()
    ]


def _done(session: Session, ending: Ending, out: str | None, found: Batch) -> int:
    output, job = session.output, ending.job
    media = _named(output, ending)
    failed = [medium for medium in media if medium.get("state") == "failed"]
    partial = [medium for medium in media if medium.get("state") == "partial"]
    report = reports.fetch(session.client, str(job["id"]))
    document = json.loads(report["report.json"])
    found_in = _headlines(session, document)
    for medium in media:
        if medium in failed:
            output.problem(_problem_of(medium))
            continue
        if medium in partial:
            output.problem(_in_part(session, medium, document))
        mark = ("!", "yellow") if medium in partial else ("✓", "green")
        text = found_in.get(str(medium["id"]), "")
        output.line(mark, f" {pad(cut(str(medium['name']), 40), 13)} {text}")
    _released(session, ending)
    lost = [str(medium["name"]) for medium in failed] + [name for name, _ in found.failed]
    done, total = len(media) - len(failed), len(media) + len(found.failed)
    gaps = len(document["gaps"])
    seconds = ending.seconds
    output.line(
        output.say(
            "cli-done",
            time=output.texts.duration(seconds),
            cost=output.texts.euros(str(job.get("cost_eur") or "0")),
            done=done,
            total=total,
            gaps=gaps,
        )
    )
    if lost:
        output.line(output.say("cli-some-failed", count=len(lost), names=_names(lost), done=done))
    if partial:
        names = _names([str(medium["name"]) for medium in partial])
        output.line(output.say("cli-some-partial", count=len(partial), names=names))
    folder = _kept(output, report, str(job["id"]), out)
    if folder is not None:
        output.commands(
            (output.say("cli-report"), str(folder / "report.html")),
            (output.say("cli-next"), _next(job)),
        )
    written = None if folder is None else str(folder / "report.json")
    _last(output, ending, report=written, media={"done": done, "failed": len(lost)}, gaps=gaps)
    return Exit.FAILED if lost or partial or folder is None else Exit.DONE


def _last(output: Output, ending: Ending, **facts: Any) -> None:
    """The last line of a followed job under `--json`: the same names, however it ended."""
    job = ending.job
    states = [medium.get("state") for medium in job.get("media") or ()]
    counted = {
        "report": None,
        "media": {"done": states.count("done"), "failed": states.count("failed")},
        "gaps": int((job.get("segments") or {}).get("gap") or 0),
    }
    output.event(
        "done",
        job=job["id"],
        state=job.get("state"),
        reason=job.get("reason"),
        cost_eur=job.get("cost_eur"),
        seconds=round(ending.seconds, 1),
        receipts=list(job.get("receipts") or ()),
        **counted | facts,
    )


def _kept(output: Output, report: reports.Report, job: str, out: str | None) -> Path | None:
    """The folder that the report was written into; None where it could not be, which is said: the
    control plane still has it."""
    try:
        return reports.keep(report, reports.folder_of(out, job))
    except Problem as problem:
        where = problem.params["path"]
        told = output.texts.problem(problem.code, problem.params)
        detail = problem.params.get("detail") or told.why
        output.problem(
            Problem("report-unwritten", Exit.FAILED, job=short(job), path=where, detail=detail)
        )
        return None


def _in_part(session: Session, medium: Mapping[str, Any], document: Mapping[str, Any]) -> Problem:
    """What could not be read of a medium, from the gaps of the report just written."""
    texts = session.output.texts
    gaps = [gap for gap in document["gaps"] if gap["media"] == medium["id"]]
    name = str(medium.get("name"))
    seen = next(found for found in document["media"] if found["id"] == medium["id"])
    if seen.get("kind") == "image":
        return Problem("picture-in-part", name=name, share=readable_share(seen["technical"], texts))
    if {gap["reason"] for gap in gaps} == {"truncated"}:
        read, whole = min(gap["from_s"] for gap in gaps), max(gap["to_s"] for gap in gaps)
        return Problem(
            "ends-in-the-middle", name=name, read=texts.clock(read), whole=texts.clock(whole)
        )
    missing = texts.clock(sum(gap["to_s"] - gap["from_s"] for gap in gaps))
    return Problem("read-in-part", name=name, gaps=len(gaps), missing=missing)


def _headlines(session: Session, document: Mapping[str, Any]) -> dict[str, str]:
    """What was found in each medium, in one line, from the report just written."""
    texts = session.output.texts
    return {
        str(medium["id"]): headline(medium["headline"], texts)
        for medium in document["media"]
        if medium.get("headline")
    }


def _held(session: Session, ending: Ending) -> int:
    output, job = session.output, ending.job
    segments, reason = job.get("segments") or {}, job.get("reason")
    if reason is not None:
        params = {**(reason.get("params") or {}), "job": short(job["id"])}
        output.problem(Problem(str(reason["code"]), _exit(reason), **params))
    until = _kept_until(output, session.client, job)
    _seen(
        session,
        ending,
        output.say(
            "cli-kept-segments",
            done=int(segments.get("done") or 0),
            total=int(segments.get("total") or 0),
            until=until,
        ),
    )
    _say_term(output, until)
    name = short(job["id"])
    output.line(output.say("cli-held"))
    output.commands(
        (output.say("cli-go-on"), f"leitstand jobs resume {name}"),
        (output.say("cli-drop-it"), f"leitstand jobs cancel {name}"),
    )
    _last(output, ending, segments=segments)
    return Exit.INTERRUPTED if reason is None or ending.presses else _exit(reason)


def _cancelled(session: Session, ending: Ending) -> int:
    output, job = session.output, ending.job
    left = {id: state for id, state in instances_of(session.client, job).items() if state != GONE}
    if left:
        names = ", ".join(short(id) for id in left)
        output.warn(output.say("cli-not-yet-gone", instances=names, count=len(left)))
        output.commands((output.say("cli-check-with"), "leitstand instances"))
    else:
        _released(session, ending)
        output.line(output.say("cli-cancelled", job=short(job["id"])))
    _last(output, ending, left=sorted(left))
    return Exit.INTERRUPTED


def _failed(session: Session, ending: Ending) -> int:
    output, job = session.output, ending.job
    reason = job.get("reason") or {}
    for medium in _named(output, ending):
        if (medium.get("reason") or {}).get("code") not in (None, reason.get("code")):
            output.problem(_problem_of(medium))
    _released(session, ending)
    params = {**(reason.get("params") or {}), "job": short(job["id"])}
    _last(output, ending)
    exit = Exit.INTERRUPTED if ending.presses else _exit(reason)
    raise Problem(str(reason.get("code") or "job-failed"), exit, **params)


def _exit(reason: Mapping[str, Any]) -> Exit:
    """What a job ended or stopped with: by a budget it was refused."""
    return Exit.REFUSED if reason.get("code") == "over-budget" else Exit.FAILED


def _released(session: Session, ending: Ending) -> None:
    """`✓ Released    i-01 seen absent, media erased (receipt 3)`."""
    output, job = session.output, ending.job
    media = list(job.get("media") or ())
    receipts = ", ".join(str(number) for number in job.get("receipts") or ())
    if media and all(medium.get("medium_state") == "erased" for medium in media):
        _seen(session, ending, output.say("cli-media-erased", receipts=receipts or "none"))
        return
    until = _kept_until(output, session.client, job)
    _seen(session, ending, output.say("cli-media-held", until=until))
    _say_term(output, until)


def _say_term(output: Output, until: str) -> None:
    """An embedded control plane does not wait for the term: it ends long before."""
    if until != "none":
        output.line(output.say("cli-erased-when-run"))


def _seen(session: Session, ending: Ending, after: str) -> None:
    output = session.output
    found = instances_of(session.client, ending.job)
    gone = [short(id) for id, state in found.items() if state == GONE]
    left = [short(id) for id, state in found.items() if state != GONE]
    head = output.say("cli-head-step-released")
    if left:
        output.step("!", head, output.say("cli-not-seen", instances=", ".join(left), after=after))
    elif gone:
        output.step("✓", head, output.say("cli-seen", instances=", ".join(gone), after=after))


def _names(names: Sequence[str]) -> str:
    shown = [cut(name, 40) for name in names[:NAMES_MAX]]
    return ", ".join(shown) + (", …" if len(names) > NAMES_MAX else "")


def _next(job: Mapping[str, Any]) -> str:
    local = float(str(job.get("cost_eur") or "0")) == 0
    return "leitstand audit verify" if local else f"leitstand jobs show {short(job['id'])}"


def _problem_of(medium: Mapping[str, Any]) -> Problem:
    """Why a medium failed, as the error its file would have given."""
    reason = medium.get("reason") or {}
    params = {**(reason.get("params") or {}), "name": str(medium["name"])}
    exit = Exit.USAGE if reason.get("exit") == Exit.USAGE else Exit.FAILED
    return Problem(str(reason.get("code") or "medium-failed"), exit, **params)


def _kept_until(output: Output, client: Client, job: Mapping[str, Any]) -> str:
    """When the media of a job are erased; `none` where that is not known."""
    for medium in job.get("media") or ():
        with suppress(Problem):
            found = client.get(f"/media/{medium['id']}")
            if at := found.get("held_until"):
                return clock(output, str(at))
    return "none"
