"""Queries on the history of machines, places and GPU classes."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, select, update

from leitstand.core.history import Key, Record
from leitstand.store.tables import hosts, results, segments, tasks

_KEY = tuple(field.name for field in fields(Key))
_SUMS = tuple(field.name for field in fields(Record) if field.name != "key")


def records(conn: Connection, tenant: str) -> list[Record]:
    """All records."""
    return [_record(row) for row in conn.execute(_select().where(hosts.c.tenant_id == tenant))]


def page(
    conn: Connection, tenant: str, provider: str | None, after: str | None, limit: int
) -> list[tuple[str, Record]]:
    """Ids and records of machines, newest first, older than `after`."""
    query = _select().where(hosts.c.tenant_id == tenant, hosts.c.host != "")
    if provider is not None:
        query = query.where(hosts.c.provider == provider)
    if after is not None:
        query = query.where(hosts.c.id < after)
    rows = conn.execute(query.order_by(hosts.c.id.desc()).limit(limit))
    return [(row.id, _record(row)) for row in rows]


def find(
    conn: Connection, tenant: str, keys: list[Key], *, lock: bool = True
) -> dict[Key, tuple[str, Record]]:
    """Id and record of those keys that have one; `lock` keeps a second change waiting (PostgreSQL)."""
    found = {}
    for key in keys:
        same = [hosts.c[name] == getattr(key, name) for name in _KEY]
        query = _select().where(hosts.c.tenant_id == tenant, *same)
        row = conn.execute(query.with_for_update() if lock else query).first()
        if row is not None:
            found[key] = (row.id, _record(row))
    return found


def add(conn: Connection, born: dict[str, Any], record: Record) -> None:
    """The first row of a key."""
    conn.execute(insert(hosts).values(**born, **_values(record)))


def change(conn: Connection, row_id: str, record: Record, now: datetime) -> None:
    """What a record has become."""
    values = {name: value for name, value in _values(record).items() if name not in _KEY}
    later = {"updated_at": now, "version": hosts.c.version + 1}
    conn.execute(update(hosts).where(hosts.c.id == row_id).values(**values, **later))


def done_by(conn: Connection, attempt_id: str) -> tuple[int, float]:
    """How many segments an attempt committed, and how many seconds of media they own."""
    query = (
        select(func.count(), func.sum(segments.c.to_us - segments.c.from_us))
        .select_from(results)
        .join(tasks, tasks.c.id == results.c.task_id)
        .join(
            segments,
            and_(
                segments.c.medium_id == tasks.c.medium_id,
                segments.c.stream == tasks.c.stream,
                segments.c.number == results.c.segment,
            ),
        )
        .where(results.c.attempt_id == attempt_id)
    )
    count, microseconds = conn.execute(query).one()
    return int(count), float(microseconds or 0) / 1e6


def _select() -> Select[Any]:
    return select(hosts.c.id, *(hosts.c[name] for name in (*_KEY, *_SUMS)))


def _record(row: Row[Any]) -> Record:
    key = Key(**{name: getattr(row, name) for name in _KEY})
    return Record(key, **{name: getattr(row, name) for name in _SUMS})


def _values(record: Record) -> dict[str, Any]:
    key = {name: getattr(record.key, name) for name in _KEY}
    return key | {name: getattr(record, name) for name in _SUMS}
