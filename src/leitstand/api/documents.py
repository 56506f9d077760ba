"""Rows as the JSON documents of the operator API (`docs/cli.md`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leitstand.control.cases import title_of
from leitstand.control.hosts import Listed
from leitstand.control.transaction import Tx
from leitstand.control.volumes import mounting
from leitstand.core.cost import spelled
from leitstand.core.instance import Instance
from leitstand.core.instant import utc
from leitstand.core.job import FUSE, Attempt, Job, Task
from leitstand.core.medium import Case, Medium
from leitstand.core.outcome import outcome
from leitstand.core.prepay import DISCOUNT_MAX, FEE, Quote
from leitstand.core.problem import Problem
from leitstand.core.volume import Shelf
from leitstand.store import attempts, instances, jobs, ledger, media, money, volumes
from leitstand.store.jobs import Tally


def moment(at: datetime | None) -> str | None:
    """RFC 3339 UTC."""
    return None if at is None else utc(at)


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


def _older_copies_open(medium: Medium) -> bool | None:
    """What a receipt must not leave out: the epoch key is never changed, so together with it a
    copy of the database made before the erasure still opens the medium."""
    return True if medium.state in ("erasing", "erased") else None


def reports_on(tx: Tx, medium: Medium) -> list[dict[str, Any]]:
    """The reports that can be opened and hold what was learnt of a medium, and until when: erasing
    the medium leaves them. Without an end where the case is under legal hold."""
    hold = tx.case(medium.case_id).legal_hold
    kept = tx.retention.reports
    return [
        {
            "job": job.id,
            "until": None if hold or job.ended_at is None else moment(job.ended_at + kept),
            "holds": [*_OF_EVERY_FILE, *_OF_KIND.get(medium.kind or "", ())],
        }
        for job in jobs.reports_on(tx.conn, tx.tenant, medium.id)
    ]


_OF_EVERY_FILE = ("name", "technical", "exif")
_OF_KIND = {
    "image": ("findings", "pictures"),
    "video": ("findings", "pictures", "words"),
    "audio": ("findings", "words"),
}


def medium_document(tx: Tx, medium: Medium, *, whole: bool = False) -> dict[str, Any]:
    """A medium; `whole` adds technical facts, EXIF, segments, and the reports about it."""
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
        "older_copies_open": _older_copies_open(medium),
    }
    if whole:
        document |= {
            "sha256": opened.get("sha256"),
            "technical": opened.get("technical"),
            "exif": opened.get("exif"),
            "gaps": opened.get("gaps"),
            "reports": reports_on(tx, medium),
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
    cost, works_for = None, None
    if tx is not None:
        cost = spelled(money.spent_on(tx.conn, tx.tenant, instance.id))
        works_for = instances.jobs_of(tx.conn, tx.tenant, instance.id)
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
        "jobs": works_for,
        "state_proof": {
            "kind": "listing" if instance.state == "terminated" else "beat",
            "at": moment(instance.ended_at or instance.last_seen_at),
        },
        "until": moment(instance.end_by),
        "created_at": moment(instance.created_at),
        "ready_at": moment(instance.ready_at),
        "price_eur_per_hour": spelled(instance.price),
        "cost_eur": cost,
    }


def failed_launch(instance: Instance, tx: Tx) -> dict[str, Any]:
    """A candidate that was launched in vain: which, why, in whose words, and what it cost."""
    return {
        "id": instance.id,
        "provider": instance.provider,
        "offer_id": instance.offer["offer_id"],
        "host": instance.offer.get("host"),
        "gpu": instance.offer.get("gpu"),
        "cores": instance.offer.get("cores"),
        "region": instance.region,
        "tier": instance.tier,
        "reason": instance.reason,
        "at": moment(instance.ended_at or instance.updated_at),
        "cost_eur": spelled(money.spent_on(tx.conn, tx.tenant, instance.id)),
    }


def host_document(host: Listed) -> dict[str, Any]:
    """A machine with what our own record makes of it."""
    record = host.record
    mean, low, high = host.holds
    return {
        "id": host.id,
        "provider": record.key.provider,
        "host": record.key.host,
        "gpu": record.key.gpu,
        "region": record.key.region or None,
        "bid": record.key.bid,
        "attempts": record.rentals,
        "losses": round(record.losses, 2),
        "failed_starts": round(record.failed_starts, 2),
        "failed_at": moment(record.failed_at),
        "holds": round(mean, 4),
        "holds_low": round(low, 4),
        "holds_high": round(high, 4),
        "ready_seconds": None if host.ready_seconds is None else round(host.ready_seconds, 1),
        "speed": None if host.speed is None else round(host.speed, 3),
        "probe": None if host.probe is None else round(host.probe, 3),
        "state": host.standing.state,
        "until": moment(host.standing.until),
    }


@dataclass(frozen=True, slots=True)
class Count:
    """Segments of a job or of one medium, counted in the database. `done` have a result, `gap` will
    have none because their task failed: of them the whole segment is a gap."""

    done: int
    total: int
    gap: int

    @classmethod
    def of(cls, tallies: Iterable[Tally]) -> Count:
        """The sum of some tallies."""
        listed = list(tallies)
        return cls(
            sum(t.done for t in listed),
            sum(t.segments for t in listed),
            sum(t.segments - t.done for t in listed if t.state == "failed"),
        )


def job_document(tx: Tx, job: Job, *, whole: bool = False) -> dict[str, Any]:
    """A job; `whole` adds media, attempts, instances and receipts."""
    tallies = jobs.tallies(tx.conn, tx.tenant, [job.id])[job.id]
    decision = jobs.decision(tx.conn, tx.tenant, job.decision_id)
    chosen = None if decision is None else decision.verdict["chosen"]
    first = media.of_job(tx.conn, tx.tenant, job.id, limit=1)
    case = tx.case(job.case_id)
    count = Count.of(tallies)
    document: dict[str, Any] = {
        "id": job.id,
        "name": sealed_of(tx, first[0]).get("name") if first else None,
        "case": job.case_id,
        "case_name": title_of(tx, case),
        "data_class": case.data_class,
        "profile": job.profile,
        "provider": None if decision is None else decision.inputs["provider"],
        "max_cost_eur": spelled(job.budget_cap),
        "state": job.state,
        "reason": job.reason,
        "segments": {
            "done": count.done,
            "total": count.total,
            "redone": attempts.repeated(tx.conn, tx.tenant, job.id),
            "gap": count.gap,
        },
        "queue_position": jobs.queue_position(tx.conn, tx.tenant, job)
        if job.state == "waiting"
        else None,
        "finish_at": None if chosen is None or job.ended_at else chosen["finish_at"],
        "due_at": moment(job.deadline_at),
        "cost_eur": spelled(money.spent(tx.conn, tx.tenant, job.id)),
        "expected_eur": None if chosen is None else chosen["expected_eur"],
        "reserved_eur": spelled(money.held(tx.conn, tx.tenant, job.id)),
        "created_at": moment(job.created_at),
        "ended_at": moment(job.ended_at),
        "decision": job.decision_id,
    }
    return document | _whole(tx, job, tallies) if whole else document


def _whole(tx: Tx, job: Job, tallies: list[Tally]) -> dict[str, Any]:
    tasks = {task.id: task for task in jobs.tasks_of(tx.conn, tx.tenant, job.id)}
    tried = attempts.of_job(tx.conn, tx.tenant, job.id)
    fleet = instances.of_job(tx.conn, tx.tenant, job.id)
    tasks_of: dict[str | None, list[Task]] = {}
    for task in tasks.values():
        tasks_of.setdefault(task.medium_id, []).append(task)
    tallies_of: dict[str, list[Tally]] = {}
    for tally in tallies:
        tallies_of.setdefault(tally.medium_id, []).append(tally)
    shown = [
        _job_medium(tx, job, medium, tasks_of.get(medium.id, []), tallies_of.get(medium.id, []))
        for medium in media.of_job(tx.conn, tx.tenant, job.id)
    ]
    fuse = next((task for task in tasks.values() if task.pipeline == FUSE), None)
    return {
        "media": shown,
        "attempts": [_attempt(attempt, tasks[attempt.task_id]) for attempt in tried],
        "instances": [instance_document(instance, tx) for instance in fleet],
        "receipts": [m["receipt"] for m in shown if m["receipt"] is not None],
        "models": [{k: m[k] for k in ("family", "name", "version", "digest")} for m in job.models],
        "report": fuse is not None and attempts.result(tx.conn, fuse.id, 0) is not None,
    }


def _job_medium(
    tx: Tx, job: Job, medium: Medium, tasks: list[Task], tallies: list[Tally]
) -> dict[str, Any]:
    became = outcome(medium, job.profile, tasks, sum(tally.gaps for tally in tallies))
    count = Count.of(tallies)
    return {
        "id": medium.id,
        "name": sealed_of(tx, medium).get("name"),
        "kind": medium.kind,
        "state": became.state,
        "reason": became.reason,
        "medium_state": medium.state,
        "receipt": receipt(tx, medium),
        "segments": {"done": count.done, "total": count.total},
    }


def _attempt(attempt: Attempt, task: Task) -> dict[str, Any]:
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


def prepay_document(instance: Instance, quoted: Quote) -> dict[str, Any]:
    """What paying ahead comes to."""
    return {
        "instance": instance.id,
        "provider": instance.provider,
        "ends_by": moment(instance.end_by),
        "amount_eur": spelled(quoted.amount_eur),
        "price_eur_per_hour": spelled(instance.price),
        "covers_seconds": round(quoted.covers_seconds, 1),
        "term_seconds": round(quoted.term_seconds, 1),
        "discount_max": float(DISCOUNT_MAX),
        "fee": float(FEE),
        "unused_eur": spelled(quoted.unused_eur),
        "lost_then_eur": spelled(quoted.lost_then_eur),
        "lost_at_most_eur": spelled(quoted.lost_at_most_eur),
    }


def volume_document(tx: Tx, shelf: Shelf) -> dict[str, Any]:
    """A volume with what it costs, what it holds and who has it."""
    cost_eur, until = volumes.cost_of(tx.conn, tx.tenant, shelf.id)
    used_by = [i.id for i in mounting(tx) if i.offer["volume"] == shelf.provider_id]
    return {
        "id": shelf.id,
        "name": shelf.name,
        "provider": shelf.provider,
        "place": shelf.place,
        "region": shelf.region,
        "size_gb": shelf.size_gb,
        "state": shelf.state,
        "reason": shelf.reason,
        "models": len(shelf.holds),
        "price_eur_per_day": spelled(shelf.price * 24),
        "cost_eur": spelled(cost_eur),
        "booked_until": moment(until),
        "used_at": moment(shelf.used_at),
        "used_by": used_by,
        "created_at": moment(shelf.created_at),
    }
