"""Queries on volumes of models and what they cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Connection, func, select

from leitstand.core.volume import Shelf
from leitstand.store.rows import columns, fetch
from leitstand.store.tables import rents, volumes


def kept(conn: Connection, provider: str | None = None) -> list[Shelf]:
    """Volumes that are not seen gone, oldest first."""
    query = columns(Shelf, volumes).where(volumes.c.state != "deleted")
    if provider is not None:
        query = query.where(volumes.c.provider == provider)
    return fetch(conn, Shelf, query.order_by(volumes.c.id))


def find(conn: Connection, tenant: str, volume_id: str, *, lock: bool = False) -> Shelf | None:
    """One volume by id; `lock` keeps a second decision waiting (PostgreSQL)."""
    query = columns(Shelf, volumes).where(volumes.c.id == volume_id, volumes.c.tenant_id == tenant)
    return next(iter(fetch(conn, Shelf, query.with_for_update() if lock else query)), None)


def page(
    conn: Connection, tenant: str, after: str | None, limit: int, *, gone: bool
) -> list[Shelf]:
    """Newest first, older than `after`; with those that are gone where it says so."""
    query = columns(Shelf, volumes).where(volumes.c.tenant_id == tenant)
    if not gone:
        query = query.where(volumes.c.state != "deleted")
    if after is not None:
        query = query.where(volumes.c.id < after)
    return fetch(conn, Shelf, query.order_by(volumes.c.id.desc()).limit(limit))


def cost_of(conn: Connection, tenant: str, volume_id: str) -> tuple[Decimal, datetime | None]:
    """What was booked for a volume, and until when."""
    query = select(func.sum(rents.c.amount), func.max(rents.c.to_at)).where(
        rents.c.volume_id == volume_id, rents.c.tenant_id == tenant
    )
    amount, until = conn.execute(query).one()
    return (Decimal(0) if amount is None else amount), until
