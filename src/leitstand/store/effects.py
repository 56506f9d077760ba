"""Queries on the outbox of calls that leave the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from leitstand.store.rows import chunks, columns, fetch
from leitstand.store.tables import effects


@dataclass(frozen=True, slots=True)
class Effect:
    """One call to make; `key` makes a second intent of the same call the same row."""

    id: str
    tenant_id: str
    kind: str
    target_id: str
    key: str
    state: str
    attempts: int
    not_before: datetime | None
    last_error: str | None
    created_at: datetime
    updated_at: datetime


def due(conn: Connection, now: datetime, limit: int) -> list[Effect]:
    """Intended effects whose time has come; ends before launches, then oldest first."""
    query = (
        columns(Effect, effects)
        .where(
            effects.c.state == "intended",
            (effects.c.not_before.is_(None)) | (effects.c.not_before <= now),
        )
        .order_by((effects.c.kind == "launch"), effects.c.id)
        .limit(limit)
    )
    return fetch(conn, Effect, query)


def by_key(conn: Connection, key: str) -> Effect | None:
    """One effect by its key."""
    return next(
        iter(fetch(conn, Effect, columns(Effect, effects).where(effects.c.key == key))), None
    )


def of_kind(conn: Connection, kind: str, target_ids: Sequence[str]) -> dict[str, Effect]:
    """Effects of one kind on these targets, by target."""
    found: dict[str, Effect] = {}
    for some in chunks(target_ids):
        query = columns(Effect, effects).where(
            effects.c.target_id.in_(some), effects.c.kind == kind
        )
        found |= {effect.target_id: effect for effect in fetch(conn, Effect, query)}
    return found


def open_keys(conn: Connection, kind: str) -> set[str]:
    """Keys of the effects of one kind that are not done."""
    query = select(effects.c.key).where(effects.c.state == "intended", effects.c.kind == kind)
    return set(conn.execute(query).scalars())


def untried(conn: Connection) -> bool:
    """Whether an effect was never tried yet."""
    query = select(effects.c.id).where(effects.c.state == "intended", effects.c.attempts == 0)
    return conn.execute(query.limit(1)).first() is not None


def set_state(
    conn: Connection,
    effect_id: str,
    state: str,
    now: datetime,
    *,
    attempted: bool = False,
    not_before: datetime | None = None,
    error: str | None = None,
) -> None:
    """Record what became of a call."""
    conn.execute(
        update(effects)
        .where(effects.c.id == effect_id)
        .values(
            state=state,
            attempts=effects.c.attempts + (1 if attempted else 0),
            not_before=not_before,
            last_error=error,
            updated_at=now,
            version=effects.c.version + 1,
        )
    )
