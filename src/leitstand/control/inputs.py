"""The inputs document of `fuse`: everything the report needs beside the results themselves.

It is encrypted to the job's result identity before it leaves memory, because it carries what media
and people wrote: names, EXIF, the case title.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from leitstand.control.cases import title_of
from leitstand.control.transaction import Tx
from leitstand.core.cost import spelled
from leitstand.core.instant import utc
from leitstand.core.job import FUSE, Attempt, Job, Task
from leitstand.core.medium import Medium
from leitstand.core.outcome import Outcome, outcome
from leitstand.core.problem import Problem
from leitstand.store import attempts, instances, jobs, ledger, media, money
from leitstand.store.attempts import Result


def inputs_of(tx: Tx, job: Job) -> bytes:
    """`leitstand.inputs/1` of a job whose other tasks have all ended."""
    case = tx.case(job.case_id)
    decision = jobs.decision(tx.conn, tx.tenant, job.decision_id)
    tasks = {task.id: task for task in jobs.tasks_of(tx.conn, tx.tenant, job.id)}
    tried = attempts.of_job(tx.conn, tx.tenant, job.id)
    results = attempts.results_of_job(tx.conn, tx.tenant, job.id)
    gaps = Counter(tasks[result.task_id].medium_id for result in results if result.gap)
    head = ledger.head(tx.conn)
    by_medium: dict[str | None, list[Task]] = {}
    for task in tasks.values():
        by_medium.setdefault(task.medium_id, []).append(task)
    document = {
        "schema": "leitstand.inputs/1",
        "made_at": utc(tx.now),
        "lang": job.lang,
        "job": {"id": job.id, "profile": job.profile, "created_at": utc(job.created_at)},
        "case": {"id": case.id, "title": title_of(tx, case), "data_class": case.data_class},
        "media": [
            _medium(
                tx,
                medium,
                outcome(medium, job.profile, by_medium.get(medium.id, []), gaps[medium.id]),
            )
            for medium in media.of_job(tx.conn, tx.tenant, job.id)
        ],
        "results": _results(results, tasks, tried),
        "steps": [_step(tasks[a.task_id], a) for a in tried],
        "instances": [
            {
                "id": instance.id,
                "provider": instance.provider,
                "gpu": instance.offer.get("gpu"),
                "region": instance.region,
                "tier": instance.tier,
                "price_eur_per_hour": spelled(instance.price),
            }
            for instance in instances.of_job(tx.conn, tx.tenant, job.id)
        ],
        "models": [
            {
                "family": m["family"],
                "name": m["name"],
                "version": m["version"],
                "digest": m["digest"],
                "licence": m["licence"],
            }
            for m in job.models
        ],
        "missing": [] if decision is None else decision.inputs["missing"],
        "costs": _costs(tx, job),
        "ledger": {
            "size": 0 if head is None else head.size,
            "root": "" if head is None else head.root,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _medium(tx: Tx, medium: Medium, became: Outcome) -> dict[str, Any]:
    try:
        sealed = tx.unseal("media", medium)
    except Problem:
        sealed = {"name": medium.id}
    return {
        "id": medium.id,
        "name": sealed.get("name", ""),
        "sha256": sealed.get("sha256"),
        "kind": medium.kind,
        "bytes": medium.bytes,
        "state": became.state,
        "reason": became.reason,
        "technical": sealed.get("technical", {}),
        "exif": sealed.get("exif", {}),
        "gaps": sealed.get("gaps", []),
        "segments": [
            {"stream": s.stream, "number": s.number, "from_us": s.from_us, "to_us": s.to_us}
            for s in media.segments_of(tx.conn, tx.tenant, medium.id)
        ],
    }


def _results(
    results: list[Result], tasks: dict[str, Task], tried: list[Attempt]
) -> list[dict[str, Any]]:
    instance_of = {attempt.id: attempt.instance_id for attempt in tried}
    return [
        {
            "object_id": result.object_id,
            "task": result.task_id,
            "pipeline": tasks[result.task_id].pipeline,
            "medium": tasks[result.task_id].medium_id,
            "stream": tasks[result.task_id].stream,
            "segment": result.segment,
            "instance": instance_of[result.attempt_id],
            "attempt": result.attempt_id,
        }
        for result in results
        if tasks[result.task_id].pipeline != FUSE
    ]


def _step(task: Task, attempt: Attempt) -> dict[str, Any]:
    return {
        "name": task.pipeline,
        "medium": task.medium_id,
        "started_at": utc(attempt.created_at),
        "ended_at": None if attempt.ended_at is None else utc(attempt.ended_at),
        "instance": attempt.instance_id,
        "attempt": attempt.id,
        "outcome": attempt.state,
        "reason": attempt.reason,
        "stage_seconds": attempt.stage_times or {},
    }


def _costs(tx: Tx, job: Job) -> dict[str, Any]:
    charged = money.charges_of_job(tx.conn, tx.tenant, job.id)
    return {
        "total_eur": spelled(money.spent(tx.conn, tx.tenant, job.id)),
        "reserved_eur": spelled(money.held(tx.conn, tx.tenant, job.id)),
        "lines": [
            {
                "instance": charge.instance_id,
                "from": utc(charge.from_at),
                "to": utc(charge.to_at),
                "amount_eur": spelled(charge.amount),
            }
            for charge in charged
        ],
    }
