"""Queries on attempts and the results they committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, exists, func, select

from leitstand.core.job import HELD, Attempt
from leitstand.store.rows import chunks, columns, fetch
from leitstand.store.tables import attempts, results, tasks


@dataclass(frozen=True, slots=True)
class Result:
    """The committed result of one segment of one task."""

    id: str
    task_id: str
    attempt_id: str
    segment: int
    fence: int
    object_id: str
    gap: bool
    """Whether it names a gap."""
    created_at: datetime


def find(conn: Connection, tenant: str, ids: Sequence[str], *, lock: bool = False) -> list[Attempt]:
    """Attempts by id; `lock` keeps a second decision waiting (PostgreSQL)."""
    found: list[Attempt] = []
    for some in chunks(ids):
        query = columns(Attempt, attempts).where(
            attempts.c.id.in_(some), attempts.c.tenant_id == tenant
        )
        query = query.order_by(attempts.c.id).with_for_update() if lock else query
        found += fetch(conn, Attempt, query)
    return found


def live_of_instance(conn: Connection, instance_id: str) -> list[Attempt]:
    """Live attempts on one instance."""
    query = columns(Attempt, attempts).where(
        attempts.c.instance_id == instance_id, attempts.c.state == "live"
    )
    return fetch(conn, Attempt, query)


def unbegun(
    conn: Connection, instance_id: str, holding: Sequence[str], now: datetime
) -> list[Attempt]:
    """Live attempts on one instance whose key nobody asked for, other than those it holds."""
    return [
        attempt
        for attempt in live_of_instance(conn, instance_id)
        if attempt.key_released_at is None
        and attempt.expires_at > now
        and attempt.id not in holding
    ]


def live_by_instance(conn: Connection) -> dict[str, int]:
    """Number of live attempts by instance."""
    query = (
        select(attempts.c.instance_id, func.count().label("live"))
        .where(attempts.c.state == "live")
        .group_by(attempts.c.instance_id)
    )
    return {row.instance_id: row.live for row in conn.execute(query)}


def ids_on(conn: Connection, tenant: str, target_id: str) -> list[str]:
    """All attempts at tasks of one medium, or of one job."""
    query = (
        select(attempts.c.id)
        .join(tasks, tasks.c.id == attempts.c.task_id)
        .where(
            (tasks.c.medium_id == target_id) | (tasks.c.job_id == target_id),
            attempts.c.tenant_id == tenant,
        )
    )
    return list(conn.execute(query).scalars())


def expired(conn: Connection, now: datetime, limit: int) -> list[tuple[str, str]]:
    """Tenant and id of live attempts whose lease ran out."""
    query = (
        select(attempts.c.tenant_id, attempts.c.id)
        .where(attempts.c.state == "live", attempts.c.expires_at <= now)
        .order_by(attempts.c.expires_at)
        .limit(limit)
    )
    return [(row.tenant_id, row.id) for row in conn.execute(query)]


def of_job(conn: Connection, tenant: str, job_id: str, state: str | None = None) -> list[Attempt]:
    """All attempts of a job, or those in a state, oldest first."""
    query = (
        columns(Attempt, attempts)
        .join(tasks, tasks.c.id == attempts.c.task_id)
        .where(tasks.c.job_id == job_id, attempts.c.tenant_id == tenant)
        .order_by(attempts.c.id)
    )
    if state is not None:
        query = query.where(attempts.c.state == state)
    return fetch(conn, Attempt, query)


def repeated(conn: Connection, tenant: str, job_id: str) -> int:
    """How many attempts of a job were broken off in a segment that a later one did again. One that
    was held had finished its segment."""
    later = attempts.alias()
    query = (
        select(func.count())
        .select_from(attempts.join(tasks, tasks.c.id == attempts.c.task_id))
        .where(
            tasks.c.job_id == job_id,
            attempts.c.tenant_id == tenant,
            attempts.c.state.in_(("lost", "failed")),
            attempts.c.reason != HELD,
            exists().where(later.c.task_id == attempts.c.task_id, later.c.fence > attempts.c.fence),
        )
    )
    return conn.execute(query).scalar_one()


def live_ids_of_job(conn: Connection, tenant: str, job_id: str) -> set[str]:
    """Ids of a job's live attempts."""
    query = (
        select(attempts.c.id)
        .join(tasks, tasks.c.id == attempts.c.task_id)
        .where(
            tasks.c.job_id == job_id,
            tasks.c.state == "leased",
            attempts.c.tenant_id == tenant,
            attempts.c.state == "live",
        )
    )
    return set(conn.execute(query).scalars())


def used(conn: Connection, task_id: str) -> int:
    """How many attempts a task has had."""
    query = select(func.count()).select_from(attempts).where(attempts.c.task_id == task_id)
    return conn.execute(query).scalar_one()


def result(conn: Connection, task_id: str, segment: int) -> Result | None:
    """The committed result of one segment."""
    query = columns(Result, results).where(
        results.c.task_id == task_id, results.c.segment == segment
    )
    return next(iter(fetch(conn, Result, query)), None)


def any_result(conn: Connection, job_id: str) -> bool:
    """Whether anything was committed for a job."""
    query = (
        select(results.c.id)
        .join(tasks, tasks.c.id == results.c.task_id)
        .where(tasks.c.job_id == job_id)
        .limit(1)
    )
    return conn.execute(query).first() is not None


def results_of_job(conn: Connection, tenant: str, job_id: str) -> list[Result]:
    """Committed results of a job by task and segment."""
    query = (
        columns(Result, results)
        .join(tasks, tasks.c.id == results.c.task_id)
        .where(tasks.c.job_id == job_id, results.c.tenant_id == tenant)
        .order_by(results.c.task_id, results.c.segment)
    )
    return fetch(conn, Result, query)
