"""Operator routes: plans, jobs, reports, instances, offers, the ledger."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, Field

from leitstand.api.bounds import Finite
from leitstand.api.documents import (
    failed_launch,
    host_document,
    instance_document,
    job_document,
    moment,
)
from leitstand.api.parts import OperatorParts, bounded_limit, page, parts_of
from leitstand.control import hosts
from leitstand.control.advance import one as job_by_id
from leitstand.control.again import check_plan
from leitstand.control.audit import verify
from leitstand.control.commands import Command
from leitstand.control.decision import document, replayed
from leitstand.control.instances import DrainInstance
from leitstand.control.instances import one as instance_by_id
from leitstand.control.jobs import CancelJob, HoldJob, ReadReport, ResumeJob, StartJob
from leitstand.control.plan import Wish
from leitstand.control.question import plain
from leitstand.control.refusals import failed
from leitstand.core import limits
from leitstand.core.accelerator import ANY, NVIDIA
from leitstand.core.cost import spelled
from leitstand.core.job import Job
from leitstand.core.ledger import read_leaf
from leitstand.core.outlook import work_seconds
from leitstand.core.placement import Requirements, first_fault
from leitstand.core.problem import Exit, Problem
from leitstand.store import instances, jobs, ledger

router = APIRouter(prefix="/api/v1")
Parts = Annotated[OperatorParts, Depends(parts_of)]
REPORT_TYPES = {"report.json": "application/json", "report.html": "text/html; charset=utf-8"}


class PlanBody(BaseModel):
    case: str
    media: list[str] = Field(min_length=1, max_length=10_000)
    profile: str = "auto"
    provider: str | None = None
    max_cost_eur: Decimal | None = Field(default=None, ge=0, max_digits=15, decimal_places=6)
    by: AwareDatetime | None = None
    lang: str = Field(default="en", pattern=r"^[a-z]{2}$")


class OffersBody(BaseModel):
    vram_gib: Finite = Field(default=0.0, ge=0)
    tier: Literal["L", "A", "B", "C", "D"] = "D"
    modality: str | None = None
    provider: str | None = None


class JobBody(BaseModel):
    decision: str


class CancelBody(BaseModel):
    now: bool = False


@router.get("/health")
def health(parts: Parts) -> dict[str, Any]:
    """That somebody answers, and who; whether database and blobs lie on its own disk."""
    return {
        "version": parts.version,
        "protocol": 1,
        "embedded": parts.embedded,
        "kept_here": parts.kept_here,
    }


@router.post("/plans")
def make_plan(body: PlanBody, parts: Parts) -> dict[str, Any]:
    """Decide where the work would run, and why; nothing is rented or reserved."""
    wish = Wish(
        case_id=parts.resolve("cases", body.case),
        media_ids=tuple(body.media),
        profile=body.profile,
        lang=body.lang,
        provider=body.provider,
        max_cost_eur=body.max_cost_eur,
        due_at=body.by,
    )
    return document(parts.planner.decide(wish, parts.actor, parts.clock.now()))


@router.get("/decisions/{decision}")
def show_decision(decision: str, parts: Parts) -> dict[str, Any]:
    """A decision as it was made, the job that it started with the launches that came to nothing,
    and whether the same facts give the same choice again."""
    decision_id = parts.resolve("decisions", decision)

    def read(tx: Any) -> tuple[jobs.Decision | None, Job | None, list[dict[str, Any]]]:
        job = jobs.by_decision(tx.conn, tx.tenant, decision_id)
        launched = [] if job is None else instances.of_job(tx.conn, tx.tenant, job.id)
        fell = [failed_launch(one, tx) for one in failed(launched)]
        return jobs.decision(tx.conn, tx.tenant, decision_id), job, fell

    found, job, fell = parts.read(read)
    if found is None:
        raise Problem("unknown-decision", Exit.USAGE, decision=decision)
    inputs = {key: value for key, value in found.inputs.items() if key != "market"}
    started = {"id": job.id, "state": job.state} if job is not None else None
    specs = [
        {**spec, "now": parts.planner.as_now(spec)["digest"]}
        for spec in inputs.pop("launch_specs", ())
    ]
    more: dict[str, Any] = {"inputs": inputs, "reasons": found.reasons, "replayed": replayed(found)}
    more |= {"job": started, "launch_specs": specs}
    return document(found) | more | {"failed_launches": fell}


@router.post("/offers")
def list_offers(body: OffersBody, parts: Parts) -> dict[str, Any]:
    """What can be rented now for this need; an offer that falls says at which rule."""
    vram, accelerator = body.vram_gib, NVIDIA if body.vram_gib else ANY
    if body.modality is not None:
        vram = max(vram, parts.planner.rules.vram_gib.get(body.modality, 0.0))
    want = Requirements(accelerator=accelerator, vram_gib=vram, tier_min=body.tier)
    now = parts.clock.now()
    answer = parts.planner.offers(want, body.provider, now)
    found = sorted(answer.found, key=lambda o: (o.price_eur_per_hour, o.provider, o.offer_id))
    items = []
    for offer, odds in zip(found, parts.planner.odds(found, now), strict=True):
        fault = first_fault(offer, parts.planner.wanted_of(offer.provider, want, now))
        rejected = None if fault is None else asdict(fault)
        if fault is None and odds.quarantine_until is not None:
            rejected = {"rule": "quarantine", "needs": moment(odds.quarantine_until)}
        video = offer.rate_eur_per_hour * Decimal(work_seconds("video", 1.0) / odds.speed)
        items.append(
            plain(offer)
            | {
                "rejected": rejected,
                "ready_seconds": round(odds.ready_seconds, 1),
                "losses_per_hour": round(odds.losses_per_hour, 4),
                "video_eur_per_hour": spelled(video),
            }
        )
    return {
        "schema": "leitstand.offers/1",
        "items": items,
        "next": None,
        "silent": answer.silent,
        "aged": answer.aged,
    }


@router.get("/hosts")
def list_hosts(
    parts: Parts,
    provider: str | None = None,
    after: str | None = None,
    limit: int = limits.PAGE_DEFAULT,
) -> dict[str, Any]:
    """Machines by our own record, newest first."""
    most = bounded_limit(limit)
    return parts.read(
        lambda tx: page(
            hosts.listed(tx, provider, after, most + 1), most, host_document, "leitstand.hosts/1"
        )
    )


@router.post("/jobs")
def start_job(body: JobBody, parts: Parts) -> dict[str, Any]:
    """Reserve and start what a decision describes."""
    decision = parts.resolve("decisions", body.decision)
    budgets = parts.planner.rules.budgets
    check_plan(parts.planner, parts.door, decision, parts.clock.now())
    command = StartJob(decision, parts.installation, parts.segments_per_task, budgets)
    return _shown(parts, command)


@router.get("/jobs")
def list_jobs(
    parts: Parts,
    state: str | None = None,
    after: str | None = None,
    limit: int = limits.PAGE_DEFAULT,
) -> dict[str, Any]:
    """Jobs, newest first; `state` leaves only those in it."""
    most = bounded_limit(limit)
    return parts.read(
        lambda tx: page(
            jobs.page(tx.conn, tx.tenant, after, most + 1, state),
            most,
            lambda job: job_document(tx, job),
            "leitstand.jobs/1",
        )
    )


@router.get("/jobs/{job}")
def show_job(job: str, parts: Parts) -> dict[str, Any]:
    """One job with its media, attempts, instances and receipts."""
    job_id = parts.resolve("jobs", job)
    return parts.read(lambda tx: job_document(tx, job_by_id(tx, job_id), whole=True))


@router.post("/jobs/{job}/hold")
def hold_job(job: str, parts: Parts) -> dict[str, Any]:
    """Finish the segments under way, then release."""
    return _shown(parts, HoldJob(parts.resolve("jobs", job)))


@router.post("/jobs/{job}/resume")
def resume_job(job: str, parts: Parts) -> dict[str, Any]:
    """Go on with a held job."""
    return _shown(parts, ResumeJob(parts.resolve("jobs", job)))


@router.post("/jobs/{job}/cancel")
def cancel_job(job: str, parts: Parts, body: CancelBody | None = None) -> dict[str, Any]:
    """Stop for good; attempts are fenced at once. `now` ends its instances even where that cannot
    be written down, which is then the problem `cancel-not-kept`."""
    job_id = parts.resolve("jobs", job)
    if body is None or not body.now:
        return _shown(parts, CancelJob(job_id))
    parts.stopper.cancel(job_id, parts.actor, parts.clock.now())
    return parts.read(lambda tx: job_document(tx, job_by_id(tx, job_id), whole=True))


@router.get("/jobs/{job}/{name}")
def get_report(job: str, name: str, parts: Parts) -> Response:
    """The report as `report.json` or `report.html`; opening it is recorded."""
    if name not in REPORT_TYPES:
        raise Problem("unknown-path", Exit.USAGE, place=name, detail="no such report form")
    job_id = parts.resolve("jobs", job)
    object_id = parts.run(ReadReport(job_id))
    secret = parts.read(lambda tx: tx.secret(job_by_id(tx, job_id).key_id))
    plain_text = b"".join(parts.door.vault.decrypt(secret, parts.blobs.get(object_id)))
    fused = json.loads(plain_text)
    if name == "report.html":
        body = fused["html"]
    else:
        body = json.dumps(fused["report"], ensure_ascii=False, indent=1)
    return Response(body, media_type=REPORT_TYPES[name])


@router.get("/instances")
def list_instances(
    parts: Parts,
    after: str | None = None,
    limit: int = limits.PAGE_DEFAULT,
    gone: bool = True,
) -> dict[str, Any]:
    """Instances, newest first; `gone=false` leaves out those that have ended."""
    most = bounded_limit(limit)
    return parts.read(
        lambda tx: page(
            instances.page(tx.conn, tx.tenant, after, most + 1, gone=gone),
            most,
            lambda instance: instance_document(instance, tx),
            "leitstand.instances/1",
        )
    )


@router.get("/instances/{instance}")
def show_instance(instance: str, parts: Parts) -> dict[str, Any]:
    """One instance with what it measured."""
    instance_id = parts.resolve("instances", instance)

    def read(tx: Any) -> dict[str, Any]:
        found = instance_by_id(tx, instance_id)
        return instance_document(found, tx) | {"facts": found.facts, "offer": found.offer}

    return parts.read(read)


@router.post("/instances/{instance}/drain")
def drain_instance(instance: str, parts: Parts) -> dict[str, Any]:
    """Finish its segments, then end it."""
    drained = parts.run(DrainInstance(parts.resolve("instances", instance)))
    return instance_document(drained)


@router.get("/ledger/entries")
def ledger_entries(
    parts: Parts, after: int | None = None, limit: int = limits.PAGE_DEFAULT
) -> dict[str, Any]:
    """Entries, newest first; `after` is a position. Of one that cannot be read, only what was kept
    beside it."""
    most = bounded_limit(limit)
    found = parts.read(lambda tx: ledger.page(tx.conn, after, most + 1))
    items = [
        _leaf(entry) | {"position": entry.position, "leaf_hash": entry.leaf_hash.hex()}
        for entry in found[:most]
    ]
    following = items[-1]["position"] if len(found) > most else None
    return {"schema": "leitstand.entries/1", "items": items, "next": following}


@router.get("/ledger/verify")
def ledger_verify(parts: Parts) -> dict[str, Any]:
    """Recompute the tree, check every head and that rows and entries agree."""
    verdict = parts.read(lambda tx: verify(tx.conn, parts.verifier))
    return {"schema": "leitstand.verdict/1", "verified": not verdict.faults} | asdict(verdict)


def _leaf(entry: ledger.Entry) -> dict[str, Any]:
    try:
        return read_leaf(entry.leaf)
    except ValueError:
        return {}


def _shown(parts: OperatorParts, command: Command[Job]) -> dict[str, Any]:
    job = parts.run(command)
    return parts.read(lambda tx: job_document(tx, job_by_id(tx, job.id), whole=True))
