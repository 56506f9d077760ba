"""Queries on wrapped keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from leitstand.store.tables import keys


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key row: its context and the wrapped secret, None once destroyed."""

    id: str
    tenant_id: str
    kind: str
    owner_id: str
    epoch: int
    wrapped: bytes | None
    recipient: str | None


def find(conn: Connection, tenant: str, key_id: str) -> WrappedKey | None:
    """One key by id."""
    row = conn.execute(
        select(
            keys.c.id,
            keys.c.tenant_id,
            keys.c.kind,
            keys.c.owner_id,
            keys.c.epoch,
            keys.c.wrapped,
            keys.c.recipient,
        ).where(keys.c.id == key_id, keys.c.tenant_id == tenant)
    ).first()
    return None if row is None else WrappedKey(*row)


def destroy(conn: Connection, tenant: str, key_id: str, now: datetime) -> bool:
    """Forget the wrapped secret. False when it was gone already."""
    met = conn.execute(
        update(keys)
        .where(keys.c.id == key_id, keys.c.tenant_id == tenant, keys.c.destroyed_at.is_(None))
        .values(wrapped=None, destroyed_at=now, updated_at=now, version=keys.c.version + 1)
    )
    return met.rowcount == 1
