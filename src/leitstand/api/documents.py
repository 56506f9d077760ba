"""Rows as the JSON documents of the operator API (`docs/cli.md`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leitstand.control.cases import title_of
from leitstand.control.transaction import Tx
from leitstand.core.instance import Instance
from leitstand.core.job import FUSE, Attempt, Job, Task
from leitstand.core.medium import Case, Medium
from leitstand.core.problem import Problem
from leitstand.store import attempts, instances, jobs, ledger, media, money

PENDING = ("receiving", "intake")


def moment(at: datetime | None) -> str | None:
    """RFC 3339 UTC."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def case_document(tx: Tx, case: Case) -> dict[str, Any]:
    """A case with its name."""
    return {
        "id": case.id,
        "name": title_of(tx, case),
        "data_class": case.data_class,
        "state": case.state,
        "legal_hold": case.legal_hold,
        "created_at": moment(case.created_at),
    }


def sealed_of(tx: Tx, medium: Medium) -> dict[str, Any]:
    """What a medium says of itself; empty after erasure."""
    try:
        opened: dict[str, Any] = tx.unseal("media", medium)
    except Problem:
        return {}
    return opened


def medium_document(tx: Tx, medium: Medium, *, whole: bool = False) -> dict[str, Any]:
    """A medium; `whole` adds technical facts, EXIF and segments."""
    opened = sealed_of(tx, medium)
    document = {
        "id": medium.id,
        "case": medium.case_id,
        "name": opened.get("name"),
        "kind": medium.kind,
        "state": medium.state,
        "reason": medium.reason,
        "bytes": medium.bytes,
        "duration_s": medium.duration_s,
        "held_until": moment(medium.erase_after),
        "created_at": moment(medium.created_at),
        "receipt": receipt(tx, medium),
    }
    if whole:
        document |= {
            "sha256": opened.get("sha256"),
            "technical": opened.get("technical"),
            "exif": opened.get("exif"),
            "gaps": opened.get("gaps"),
            "segments": [
                {
                    "stream": s.stream,
                    "number": s.number,
                    "from_us": s.from_us,
                    "to_us": s.to_us,
                    "format": s.format,
                    "object_id": s.object_id,
                }
                for s in media.segments_of(tx.conn, tx.tenant, medium.id)
            ],
        }
    return document


def receipt(tx: Tx, medium: Medium) -> int | None:
    """Position of the ledger entry that says the medium is erased."""
    if medium.state != "erased":
        return None
    return ledger.of_subject(tx.conn, medium.id)[-1].position


def instance_document(instance: Instance, tx: Tx | None = None) -> dict[str, Any]:
    """An instance."""
    cost = None
    if tx is not None:
        cost = str(money.spent_on(tx.conn, tx.tenant, instance.id))
    return {
        "id": instance.id,
        "provider": instance.provider,
        "gpu": instance.offer.get("gpu"),
        "vram_gib": instance.offer.get("vram_gib"),
        "cores": instance.offer.get("cores"),
        "region": instance.region,
        "tier": instance.tier,
        "state": instance.state,
        "reason": instance.reason,
        "state_proof": {
            "kind": "listing" if instance.state == "terminated" else "beat",
            "at": moment(instance.ended_at or instance.last_seen_at),
        },
        "until": moment(instance.end_by),
        "created_at": moment(instance.created_at),
        "ready_at": moment(instance.ready_at),
        "price_eur_per_hour": str(instance.price),
        "cost_eur": cost,
    }


def job_document(tx: Tx, job: Job, *, whole: bool = False) -> dict[str, Any]:
    """A job; `whole` adds media, attempts, instances and receipts."""
    tasks = jobs.tasks_of(tx.conn, tx.tenant, job.id)
    ordinary = [task for task in tasks if task.pipeline != FUSE]
    done = jobs.segments_done(tx.conn, [task.id for task in ordinary])
    tried = attempts.of_job(tx.conn, tx.tenant, job.id)
    decision = jobs.decision(tx.conn, tx.tenant, job.decision_id)
    chosen = None if decision is None else decision.verdict["chosen"]
    found = media.of_job(tx.conn, tx.tenant, job.id)
    total = sum(_length(task) for task in ordinary)
    gap = sum(_length(t) - len(done[t.id]) for t in ordinary if t.state == "failed")
    names = [sealed_of(tx, medium).get("name") for medium in found[:1]]
    document: dict[str, Any] = {
        "id": job.id,
        "name": names[0] if names else None,
        "case": job.case_id,
        "case_name": title_of(tx, tx.case(job.case_id)),
        "profile": job.profile,
        "state": job.state,
        "reason": job.reason,
        "segments": {
            "done": sum(len(numbers) for numbers in done.values()),
            "total": total,
            "redone": sum(1 for attempt in tried if attempt.state in ("lost", "failed")),
            "gap": gap,
        },
        "queue_position": None,
        "finish_at": None if chosen is None else chosen["finish_at"],
        "due_at": moment(job.deadline_at),
        "cost_eur": str(money.spent(tx.conn, tx.tenant, job.id)),
        "expected_eur": None if chosen is None else chosen["expected_eur"],
        "reserved_eur": str(money.held(tx.conn, tx.tenant, job.id)),
        "created_at": moment(job.created_at),
        "ended_at": moment(job.ended_at),
        "decision": job.decision_id,
    }
    if whole:
        fleet = instances.of_job(tx.conn, tx.tenant, job.id)
        document |= {
            "media": [_job_medium(tx, medium, tasks, done) for medium in found],
            "attempts": [_attempt(attempt, tasks) for attempt in tried],
            "instances": [instance_document(instance, tx) for instance in fleet],
            "receipts": [r for r in (receipt(tx, m) for m in found) if r is not None],
            "models": [
                {k: m[k] for k in ("family", "name", "version", "digest")} for m in job.models
            ],
            "report": any(
                attempts.result(tx.conn, task.id, 0) for task in tasks if task.pipeline == FUSE
            ),
        }
    return document


def _job_medium(
    tx: Tx, medium: Medium, tasks: list[Task], done: dict[str, set[int]]
) -> dict[str, Any]:
    mine = [task for task in tasks if task.medium_id == medium.id]
    failed = [task for task in mine if task.state == "failed"]
    ended = all(task.state in ("done", "failed", "cancelled") for task in mine)
    if medium.state == "failed" or (mine and len(failed) == len(mine)):
        state = "failed"
    elif failed:
        state = "partial"
    elif mine and ended:
        state = "done"
    else:
        state = "running" if any(task.state == "leased" for task in mine) else "waiting"
    reason = medium.reason or (failed[0].reason if failed else None)
    return {
        "id": medium.id,
        "name": sealed_of(tx, medium).get("name"),
        "kind": medium.kind,
        "state": state,
        "reason": reason,
        "medium_state": medium.state,
        "receipt": receipt(tx, medium),
        "segments": {
            "done": sum(len(done.get(task.id, ())) for task in mine),
            "total": sum(_length(task) for task in mine),
        },
        "headline": None,
    }


def _attempt(attempt: Attempt, tasks: list[Task]) -> dict[str, Any]:
    task = next(task for task in tasks if task.id == attempt.task_id)
    return {
        "id": attempt.id,
        "task": task.id,
        "pipeline": task.pipeline,
        "medium": task.medium_id,
        "instance": attempt.instance_id,
        "state": attempt.state,
        "reason": attempt.reason,
        "blame": attempt.blame,
        "started_at": moment(attempt.created_at),
        "ended_at": moment(attempt.ended_at),
        "stage_seconds": attempt.stage_times,
    }


def _length(task: Task) -> int:
    return task.last_segment - task.first_segment + 1
