"""Queries on instances and the reservations that stand on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, exists, or_, select

from leitstand.core.instance import Instance
from leitstand.core.placement import TIERS, lowest_for
from leitstand.store.rows import columns, fetch
from leitstand.store.tables import attempts, instances, jobs, reservations, results, tasks


def find(conn: Connection, tenant: str, instance_id: str, *, lock: bool = False) -> Instance | None:
    """One instance by id; `lock` keeps a second decision waiting (PostgreSQL)."""
    query = columns(Instance, instances).where(
        instances.c.id == instance_id, instances.c.tenant_id == tenant
    )
    return next(iter(fetch(conn, Instance, query.with_for_update() if lock else query)), None)


def by_token(conn: Connection, hashes: Sequence[str]) -> Instance | None:
    """The instance whose one-time token, or the request that spent it, has one of these hashes."""
    query = columns(Instance, instances).where(instances.c.token_hash.in_(hashes))
    return next(iter(fetch(conn, Instance, query.with_for_update())), None)


def alive(conn: Connection) -> list[Instance]:
    """Every instance that is not observed absent, oldest first."""
    query = columns(Instance, instances).where(instances.c.state != "terminated")
    return fetch(conn, Instance, query.order_by(instances.c.id))


def of_provider(conn: Connection, provider: str, provider_id: str, label: str) -> bool:
    """Whether a record stands for this id of a provider, or may: one of the same label lives whose id
    is not known yet."""
    query = select(instances.c.id).where(
        instances.c.provider == provider,
        or_(
            instances.c.provider_id == provider_id,
            and_(
                instances.c.provider_id.is_(None),
                instances.c.label == label,
                instances.c.state != "terminated",
            ),
        ),
    )
    return conn.execute(query.limit(1)).first() is not None


def unbilled(
    conn: Connection, provider: str, ended_from: datetime, before: datetime, after: str, limit: int
) -> list[Instance]:
    """The next instances of a provider, in the order of their ids and after one of them, that came
    to be, were seen gone in a period, and whose bill may still come or change."""
    query = columns(Instance, instances).where(
        instances.c.provider == provider,
        instances.c.provider_id.is_not(None),
        instances.c.bill_final_at.is_(None),
        instances.c.ended_at >= ended_from,
        instances.c.ended_at < before,
        instances.c.id > after,
    )
    return fetch(conn, Instance, query.order_by(instances.c.id).limit(limit))


def page(
    conn: Connection, tenant: str, after: str | None, limit: int, *, gone: bool = True
) -> list[Instance]:
    """Newest first, older than `after`; without those that are `gone` where it says so."""
    query = columns(Instance, instances).where(instances.c.tenant_id == tenant)
    if not gone:
        query = query.where(instances.c.state != "terminated")
    if after is not None:
        query = query.where(instances.c.id < after)
    return fetch(conn, Instance, query.order_by(instances.c.id.desc()).limit(limit))


def of_job(conn: Connection, tenant: str, job_id: str) -> list[Instance]:
    """Every instance that was ever reserved for a job, oldest first."""
    query = (
        columns(Instance, instances)
        .join(reservations, reservations.c.instance_id == instances.c.id)
        .where(reservations.c.job_id == job_id, instances.c.tenant_id == tenant)
        .order_by(instances.c.id)
    )
    return fetch(conn, Instance, query)


def jobs_of(conn: Connection, tenant: str, instance_id: str) -> list[str]:
    """Jobs that still hold a reservation on an instance, oldest first: what it lives for."""
    query = select(reservations.c.job_id).where(
        reservations.c.instance_id == instance_id,
        reservations.c.tenant_id == tenant,
        reservations.c.state == "held",
    )
    return list(conn.execute(query.order_by(reservations.c.job_id)).scalars())


def wanted(conn: Connection) -> set[str]:
    """Instances with a reservation of an open job that still has work which their tier may do. A
    rented instance is not kept while the own machine makes the report."""
    query = (
        select(reservations.c.instance_id)
        .join(instances, instances.c.id == reservations.c.instance_id)
        .join(jobs, jobs.c.id == reservations.c.job_id)
        .where(
            reservations.c.state == "held",
            jobs.c.state.in_(("waiting", "running")),
            exists().where(
                tasks.c.job_id == jobs.c.id,
                tasks.c.state.in_(("blocked", "queued", "leased")),
                or_(
                    *(
                        and_(instances.c.tier == tier, tasks.c.tier_min.in_(lowest_for(tier)))
                        for tier in TIERS
                    )
                ),
            ),
        )
    )
    return set(conn.execute(query).scalars())


def serving(conn: Connection, job_id: str) -> list[Instance]:
    """Instances that a job may still count on: reserved for it and not on their way out."""
    query = (
        columns(Instance, instances)
        .join(reservations, reservations.c.instance_id == instances.c.id)
        .where(
            reservations.c.job_id == job_id,
            reservations.c.state == "held",
            instances.c.state.in_(("intended", "launching", "booting", "admitting", "ready")),
        )
    )
    return fetch(conn, Instance, query)


def fruitless(conn: Connection, job_id: str, since: datetime) -> list[Instance]:
    """Instances intended for a job since a moment that are gone, on their way out, or never came to
    be, and that committed nothing; oldest first."""
    committed = exists().where(
        attempts.c.instance_id == instances.c.id,
        results.c.task_id == attempts.c.task_id,
        results.c.attempt_id == attempts.c.id,
    )
    query = (
        columns(Instance, instances)
        .join(reservations, reservations.c.instance_id == instances.c.id)
        .where(
            reservations.c.job_id == job_id,
            instances.c.created_at >= since,
            instances.c.state.in_(("terminating", "terminated")),
            ~committed,
        )
        .order_by(instances.c.id)
    )
    return fetch(conn, Instance, query)
