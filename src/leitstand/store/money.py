"""Queries on reservations and charges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Select, func, select, update

from leitstand.core.volume import HELD
from leitstand.store.rows import columns, fetch
from leitstand.store.tables import charges, instances, rents, reservations, volumes


@dataclass(frozen=True, slots=True)
class Charge:
    """Money for a period of one instance."""

    id: str
    instance_id: str
    job_id: str | None
    from_at: datetime
    to_at: datetime
    amount: Decimal
    currency: str
    source: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """The worst case of one instance, held for one job until it is observed absent."""

    id: str
    job_id: str
    instance_id: str
    amount: Decimal
    state: str
    version: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What is spent and reserved at one moment, of one job and of all. For a day of each volume
    money is kept as if it were reserved."""

    job_spent: Decimal
    job_held: Decimal
    month_spent: Decimal
    spent: Decimal
    held: Decimal


def totals(conn: Connection, tenant: str, job_id: str | None, month: datetime) -> Totals:
    """One statement, hence one snapshot: what accrual moves from reserved to spent meanwhile is
    counted once. Without a job its own sums are those of nobody."""
    queries = (
        _spent(tenant, job_id or ""),
        _held(tenant, job_id or ""),
        _spent(tenant, since=month),
        _spent(tenant),
        _held(tenant),
    )
    rented = (_rented(tenant, month), _rented(tenant), _prices(tenant))
    both = (query.scalar_subquery() for query in (*queries, *rented))
    values = [_total(value) for value in conn.execute(select(*both)).one()]
    job_spent, job_held, of_month, in_all, held_ = values[:5]
    kept = values[7] * (HELD // timedelta(hours=1))
    return Totals(job_spent, job_held, of_month + values[5], in_all + values[6], held_ + kept)


def held(conn: Connection, tenant: str, job_id: str | None = None) -> Decimal:
    """What is reserved, in all or for one job."""
    return _total(conn.execute(_held(tenant, job_id)).scalar())


def spent(conn: Connection, tenant: str, job_id: str | None = None) -> Decimal:
    """What was charged, in all or for one job."""
    return _total(conn.execute(_spent(tenant, job_id)).scalar())


def _held(tenant: str, job_id: str | None = None) -> Select[Decimal]:
    query = select(func.sum(reservations.c.amount)).where(
        reservations.c.state == "held", reservations.c.tenant_id == tenant
    )
    return query if job_id is None else query.where(reservations.c.job_id == job_id)


def _spent(
    tenant: str, job_id: str | None = None, since: datetime | None = None
) -> Select[Decimal]:
    query = select(func.sum(charges.c.amount)).where(charges.c.tenant_id == tenant)
    if job_id is not None:
        query = query.where(charges.c.job_id == job_id)
    if since is not None:
        query = query.where(charges.c.from_at >= since)
    return query


def _rented(tenant: str, since: datetime | None = None) -> Select[Decimal]:
    """What volumes cost, which is of no job."""
    query = select(func.sum(rents.c.amount)).where(rents.c.tenant_id == tenant)
    return query if since is None else query.where(rents.c.from_at >= since)


def _prices(tenant: str) -> Select[Decimal]:
    """What an hour of all volumes that are kept costs."""
    query = select(func.sum(volumes.c.price)).where(volumes.c.tenant_id == tenant)
    return query.where(volumes.c.state != "deleted")


def spent_on(conn: Connection, tenant: str, instance_id: str) -> Decimal:
    """What one instance was charged."""
    query = select(func.sum(charges.c.amount)).where(
        charges.c.tenant_id == tenant, charges.c.instance_id == instance_id
    )
    return _total(conn.execute(query).scalar())


def reservation_of(conn: Connection, instance_id: str) -> Reservation | None:
    """The reservation that stands on an instance."""
    query = columns(Reservation, reservations).where(reservations.c.instance_id == instance_id)
    return next(iter(fetch(conn, Reservation, query)), None)


def charges_of_job(conn: Connection, tenant: str, job_id: str) -> list[Charge]:
    """Charges of a job, oldest first."""
    query = (
        columns(Charge, charges)
        .where(charges.c.job_id == job_id, charges.c.tenant_id == tenant)
        .order_by(charges.c.from_at, charges.c.id)
    )
    return fetch(conn, Charge, query)


def last_charge_end(conn: Connection, instance_id: str) -> datetime | None:
    """Until when an instance is accrued."""
    query = select(func.max(charges.c.to_at)).where(charges.c.instance_id == instance_id)
    return conn.execute(query).scalar()


def accruing(conn: Connection, states: Sequence[str], job_id: str | None = None) -> list[str]:
    """Instances in these states, oldest first; with `job_id` those reserved for it."""
    query = select(instances.c.id).where(instances.c.state.in_(states)).order_by(instances.c.id)
    if job_id is not None:
        mine = select(reservations.c.instance_id).where(reservations.c.job_id == job_id)
        query = query.where(instances.c.id.in_(mine))
    return list(conn.execute(query).scalars())


def shrink(conn: Connection, reservation_id: str, by: Decimal, now: datetime) -> None:
    """A reservation shrinks as accrual grows; never below zero."""
    row = conn.execute(
        select(reservations.c.amount).where(
            reservations.c.id == reservation_id, reservations.c.state == "held"
        )
    ).first()
    if row is not None:
        conn.execute(
            update(reservations)
            .where(reservations.c.id == reservation_id)
            .values(amount=max(Decimal(0), row.amount - by), updated_at=now)
        )


def _total(value: Decimal | None) -> Decimal:
    return Decimal(0) if value is None else value
