"""Queries on jobs, their tasks and the decisions they start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from leitstand.core.job import FUSE, Job, Task
from leitstand.store import ledger
from leitstand.store.rows import chunks, columns, fetch
from leitstand.store.tables import (
    cases,
    decisions,
    job_media,
    jobs,
    keys,
    reservations,
    results,
    tasks,
)

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


def page(
    conn: Connection, tenant: str, after: str | None, limit: int, state: str | None = None
) -> list[Job]:
    """Newest first, older than `after`, in this state."""
    query = columns(Job, jobs).where(jobs.c.tenant_id == tenant)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if after is not None:
        query = query.where(jobs.c.id < after)
    return fetch(conn, Job, query.order_by(jobs.c.id.desc()).limit(limit))


def queue_position(conn: Connection, tenant: str, job: Job) -> int:
    """The place of a waiting job in the order in which jobs are served, from 1."""
    query = (
        select(func.count())
        .select_from(jobs)
        .where(
            jobs.c.tenant_id == tenant,
            jobs.c.state == "waiting",
            (jobs.c.priority > job.priority)
            | ((jobs.c.priority == job.priority) & (jobs.c.id < job.id)),
        )
    )
    return 1 + conn.execute(query).scalar_one()


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


def task_of(conn: Connection, tenant: str, job_id: str, pipeline: str) -> Task | None:
    """A task of a job in a pipeline; `fuse` has exactly one."""
    query = (
        columns(Task, tasks)
        .where(tasks.c.job_id == job_id, tasks.c.tenant_id == tenant, tasks.c.pipeline == pipeline)
        .limit(1)
    )
    return next(iter(fetch(conn, Task, query)), None)


def any_task(conn: Connection, job_id: str, states: Sequence[str]) -> bool:
    """Whether a job has a task in one of these states."""
    query = select(tasks.c.id).where(tasks.c.job_id == job_id, tasks.c.state.in_(states)).limit(1)
    return conn.execute(query).first() is not None


def ordinary_tasks(conn: Connection, job_id: str) -> int:
    """How many tasks a job was planned with, `fuse` excepted."""
    query = select(func.count()).where(tasks.c.job_id == job_id, tasks.c.pipeline != FUSE)
    return int(conn.execute(query).scalar_one())


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What an open job still has to do: ordinary tasks, and `fuse`, blocked or not."""

    job: Job
    ordinary: int
    fuse: str | None
    """State of the open `fuse` task; None once it has ended."""


def open_work(conn: Connection, limit: int, after: Job | None = None) -> list[OpenWork]:
    """Waiting and running jobs of every tenant with their open tasks counted, by priority and age;
    those behind a job where one is given."""
    query = columns(Job, jobs).where(jobs.c.state.in_(OPEN))
    if after is not None:
        later = (jobs.c.priority == after.priority) & (jobs.c.id > after.id)
        query = query.where((jobs.c.priority < after.priority) | later)
    found = fetch(conn, Job, query.order_by(jobs.c.priority.desc(), jobs.c.id).limit(limit))
    counts: dict[str, tuple[int, str | None]] = {}
    for some in chunks([job.id for job in found]):
        query = (
            select(tasks.c.job_id, tasks.c.pipeline, tasks.c.state, func.count().label("tasks"))
            .where(tasks.c.job_id.in_(some), tasks.c.state.in_(("blocked", "queued", "leased")))
            .group_by(tasks.c.job_id, tasks.c.pipeline, tasks.c.state)
        )
        for row in conn.execute(query):
            ordinary, fuse = counts.get(row.job_id, (0, None))
            if row.pipeline == FUSE:
                fuse = row.state
            else:
                ordinary += row.tasks
            counts[row.job_id] = (ordinary, fuse)
    return [OpenWork(job, *counts.get(job.id, (0, None))) for job in found]


@dataclass(frozen=True, slots=True)
class Tally:
    """Segments of one medium's tasks, by state of the task."""

    medium_id: str
    stream: str | None
    state: str
    tasks: int
    segments: int
    done: int
    gaps: int
    """Results that name a gap, among those that are done."""


def tallies(conn: Connection, tenant: str, job_ids: Sequence[str]) -> dict[str, list[Tally]]:
    """How far the ordinary tasks of jobs are, counted in the database."""
    done = (
        select(
            results.c.task_id,
            func.count().label("done"),
            func.sum(case((results.c.gap, 1), else_=0)).label("gaps"),
        )
        .join(tasks, tasks.c.id == results.c.task_id)
        .where(tasks.c.job_id.in_(job_ids))
        .group_by(results.c.task_id)
        .subquery()
    )
    query = (
        select(
            tasks.c.job_id,
            tasks.c.medium_id,
            tasks.c.stream,
            tasks.c.state,
            func.count().label("tasks"),
            func.sum(tasks.c.last_segment - tasks.c.first_segment + 1).label("segments"),
            func.sum(func.coalesce(done.c.done, 0)).label("done"),
            func.sum(func.coalesce(done.c.gaps, 0)).label("gaps"),
        )
        .select_from(tasks.outerjoin(done, done.c.task_id == tasks.c.id))
        .where(tasks.c.job_id.in_(job_ids), tasks.c.tenant_id == tenant, tasks.c.pipeline != FUSE)
        .group_by(tasks.c.job_id, tasks.c.medium_id, tasks.c.stream, tasks.c.state)
    )
    found: dict[str, list[Tally]] = {job_id: [] for job_id in job_ids}
    for row in conn.execute(query):
        found[row.job_id].append(
            Tally(
                row.medium_id,
                row.stream,
                row.state,
                int(row.tasks),
                int(row.segments),
                int(row.done),
                int(row.gaps),
            )
        )
    return found


def got_on_at(conn: Connection, job: Job) -> datetime:
    """When a job's last result was committed, or a person last resumed it; else when it began.
    Between these it may move to and fro without an end."""
    query = (
        select(func.max(results.c.created_at))
        .join(tasks, tasks.c.id == results.c.task_id)
        .where(tasks.c.job_id == job.id)
    )
    committed = conn.execute(query).scalar_one()
    resumed = ledger.last_at(conn, job.id, "job.resume")
    return max(at for at in (committed, resumed, job.created_at) if at is not None)


def overdue_reports(conn: Connection, before: datetime, limit: int) -> list[Job]:
    """Jobs that ended before a moment and whose results can still be opened, but for those that a
    legal hold keeps."""
    query = (
        columns(Job, jobs)
        .join(keys, keys.c.id == jobs.c.key_id)
        .join(cases, cases.c.id == jobs.c.case_id)
        .where(jobs.c.ended_at <= before, keys.c.destroyed_at.is_(None), ~cases.c.legal_hold)
        .order_by(jobs.c.ended_at)
        .limit(limit)
    )
    return fetch(conn, Job, query)


def reports_on(conn: Connection, tenant: str, medium_id: str) -> list[Job]:
    """Jobs whose report can still be opened and is about this medium, oldest first."""
    query = (
        columns(Job, jobs)
        .join(keys, keys.c.id == jobs.c.key_id)
        .join(job_media, job_media.c.job_id == jobs.c.id)
        .where(
            job_media.c.medium_id == medium_id,
            jobs.c.tenant_id == tenant,
            jobs.c.state == "done",
            keys.c.destroyed_at.is_(None),
        )
        .order_by(jobs.c.id)
    )
    return fetch(conn, Job, query)


def queued_for(
    conn: Connection, instance_id: str, now: datetime, limit: int, *, lock: bool
) -> list[Task]:
    """Queued tasks of open jobs that hold a reservation on this instance, first come first served;
    `lock` keeps them, and skips those that another control plane is claiming (PostgreSQL)."""
    query = (
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
        .limit(limit)
    )
    query = query.with_for_update(skip_locked=True, of=tasks) if lock else query
    return fetch(conn, Task, query)


def segments_done(conn: Connection, task_ids: Sequence[str]) -> dict[str, set[int]]:
    """Committed segments by task: the checkpoint."""
    done: dict[str, set[int]] = {task_id: set() for task_id in task_ids}
    for some in chunks(task_ids):
        query = select(results.c.task_id, results.c.segment).where(results.c.task_id.in_(some))
        for row in conn.execute(query):
            done[row.task_id].add(row.segment)
    return done


def decision(
    conn: Connection, tenant: str, decision_id: str, *, lock: bool = False
) -> Decision | None:
    """One decision by id; `lock` keeps a second start of it waiting (PostgreSQL)."""
    query = columns(Decision, decisions).where(
        decisions.c.id == decision_id, decisions.c.tenant_id == tenant
    )
    query = query.with_for_update() if lock else query
    return next(iter(fetch(conn, Decision, query)), None)
