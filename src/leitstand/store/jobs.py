"""Queries on jobs, their tasks and the decisions they start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from leitstand.core.job import Job, Task
from leitstand.store.rows import chunks, columns, fetch
from leitstand.store.tables import decisions, jobs, reservations, results, tasks

OPEN = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, from which facts, and why; `explain` replays it."""

    id: str
    kind: str
    inputs: dict[str, Any]
    verdict: dict[str, Any]
    reasons: dict[str, Any]
    created_at: datetime


def find(conn: Connection, tenant: str, job_id: str, *, lock: bool = False) -> Job | None:
    """One job by id; `lock` keeps a second decision waiting (PostgreSQL)."""
    query = columns(Job, jobs).where(jobs.c.id == job_id, jobs.c.tenant_id == tenant)
    return next(iter(fetch(conn, Job, query.with_for_update() if lock else query)), None)


def by_decision(conn: Connection, tenant: str, decision_id: str) -> Job | None:
    """The job that a decision started; a decision starts at most one."""
    query = columns(Job, jobs).where(jobs.c.decision_id == decision_id, jobs.c.tenant_id == tenant)
    return next(iter(fetch(conn, Job, query)), None)


def page(conn: Connection, tenant: str, after: str | None, limit: int) -> list[Job]:
    """Newest first, older than `after`."""
    query = columns(Job, jobs).where(jobs.c.tenant_id == tenant)
    if after is not None:
        query = query.where(jobs.c.id < after)
    return fetch(conn, Job, query.order_by(jobs.c.id.desc()).limit(limit))


def in_states(conn: Connection, states: Sequence[str], limit: int) -> list[Job]:
    """Jobs of every tenant in these states, by priority, then age."""
    query = (
        columns(Job, jobs)
        .where(jobs.c.state.in_(states))
        .order_by(jobs.c.priority.desc(), jobs.c.id)
        .limit(limit)
    )
    return fetch(conn, Job, query)


def count_in(conn: Connection, states: Sequence[str]) -> int:
    """How many jobs are in these states."""
    query = select(func.count()).select_from(jobs).where(jobs.c.state.in_(states))
    return conn.execute(query).scalar_one()


def task(conn: Connection, tenant: str, task_id: str) -> Task | None:
    """One task by id."""
    query = columns(Task, tasks).where(tasks.c.id == task_id, tasks.c.tenant_id == tenant)
    return next(iter(fetch(conn, Task, query)), None)


def tasks_of(conn: Connection, tenant: str, job_id: str) -> list[Task]:
    """Tasks of a job in the order they were planned."""
    query = (
        columns(Task, tasks)
        .where(tasks.c.job_id == job_id, tasks.c.tenant_id == tenant)
        .order_by(tasks.c.id)
    )
    return fetch(conn, Task, query)


def any_queued(conn: Connection, instance_id: str, now: datetime) -> bool:
    """Whether a claim by this instance could find something."""
    return conn.execute(_queued(instance_id, now).limit(1)).first() is not None


def queued_for(conn: Connection, instance_id: str, now: datetime, limit: int) -> list[Task]:
    """Queued tasks of open jobs that hold a reservation on this instance, first come first served;
    on PostgreSQL rows that another control plane is claiming are skipped."""
    query = _queued(instance_id, now).limit(limit).with_for_update(skip_locked=True, of=tasks)
    return fetch(conn, Task, query)


def _queued(instance_id: str, now: datetime) -> Select[Any]:
    return (
        columns(Task, tasks)
        .join(jobs, jobs.c.id == tasks.c.job_id)
        .where(
            tasks.c.state == "queued",
            (tasks.c.not_before.is_(None)) | (tasks.c.not_before <= now),
            jobs.c.state.in_(OPEN),
            jobs.c.id.in_(
                select(reservations.c.job_id).where(
                    reservations.c.instance_id == instance_id, reservations.c.state == "held"
                )
            ),
        )
        .order_by(jobs.c.priority.desc(), tasks.c.id)
    )


def segments_done(conn: Connection, task_ids: Sequence[str]) -> dict[str, set[int]]:
    """Committed segments by task: the checkpoint."""
    done: dict[str, set[int]] = {task_id: set() for task_id in task_ids}
    for some in chunks(task_ids):
        query = select(results.c.task_id, results.c.segment).where(results.c.task_id.in_(some))
        for row in conn.execute(query):
            done[row.task_id].add(row.segment)
    return done


def decision(conn: Connection, tenant: str, decision_id: str) -> Decision | None:
    """One decision by id."""
    query = columns(Decision, decisions).where(
        decisions.c.id == decision_id, decisions.c.tenant_id == tenant
    )
    return next(iter(fetch(conn, Decision, query)), None)
