"""Queries on events: what progress streams replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from leitstand.store.rows import columns, fetch
from leitstand.store.tables import events


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a subject, in open facts."""

    id: int
    created_at: datetime
    subject_id: str
    kind: str
    facts: dict[str, Any]


def after(
    conn: Connection, tenant: str, subject_id: str | None, last_id: int, limit: int
) -> list[Event]:
    """Events about a subject (or all) after a row, oldest first."""
    query = columns(Event, events).where(events.c.tenant_id == tenant, events.c.id > last_id)
    if subject_id is not None:
        query = query.where(events.c.subject_id == subject_id)
    return fetch(conn, Event, query.order_by(events.c.id).limit(limit))


def newest(conn: Connection) -> int:
    """Id of the newest event, 0 when there is none."""
    return conn.execute(select(func.max(events.c.id))).scalar() or 0


def forget(conn: Connection, before: datetime) -> None:
    """Drop what is older than its term."""
    conn.execute(delete(events).where(events.c.created_at < before))


def rows(
    tenant: str, now: datetime, found: Sequence[tuple[str, str, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Rows to add, from `(subject, kind, facts)`."""
    return [
        {
            "created_at": now,
            "tenant_id": tenant,
            "subject_id": subject,
            "kind": kind,
            "facts": facts,
        }
        for subject, kind, facts in found
    ]
