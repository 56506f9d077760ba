"""Queries on ledger entries, their payloads and the signed heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from leitstand.store.rows import columns, fetch
from leitstand.store.tables import entries, heads, metadata

STATEFUL = ("cases", "media", "jobs", "tasks", "attempts", "instances", "reservations", "keys")
"""Tables whose every row change has exactly one entry; `keys` by `destroyed_at` instead of a state."""
WRITTEN_ONCE = {"results": ("result", "committed"), "decisions": ("decision", "made")}
"""Tables whose rows never change: noun and the state that their one entry says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf of the ledger; `position` is None until the sequencer saw it."""

    id: str
    created_at: datetime
    subject_id: str
    leaf: bytes
    leaf_hash: bytes
    position: int | None
    payload_id: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head: size and root of the tree, with the frontier that extends it."""

    size: int
    created_at: datetime
    root: str
    frontier: list[str]
    note: str


def unsequenced(conn: Connection, limit: int | None) -> list[Entry]:
    """Entries without a position, in the order they were written; all, where nothing limits them."""
    query = columns(Entry, entries).where(entries.c.position.is_(None))
    return fetch(conn, Entry, query.order_by(entries.c.id).limit(limit))


def place(conn: Connection, positions: Sequence[tuple[str, int]]) -> None:
    """Give entries their positions."""
    statement = (
        update(entries)
        .where(entries.c.id == bindparam("b_id"), entries.c.position.is_(None))
        .values(position=bindparam("b_position"))
    )
    conn.execute(statement, [{"b_id": i, "b_position": p} for i, p in positions])


def head(conn: Connection) -> Head | None:
    """The newest signed head."""
    query = columns(Head, heads).order_by(heads.c.size.desc()).limit(1)
    return next(iter(fetch(conn, Head, query)), None)


def every_head(conn: Connection) -> list[Head]:
    """All signed heads, smallest first."""
    return fetch(conn, Head, columns(Head, heads).order_by(heads.c.size))


def page(conn: Connection, after: int | None, limit: int) -> list[Entry]:
    """Sequenced entries, newest first, before position `after`."""
    query = columns(Entry, entries).where(entries.c.position.is_not(None))
    if after is not None:
        query = query.where(entries.c.position < after)
    return fetch(conn, Entry, query.order_by(entries.c.position.desc()).limit(limit))


def walk(conn: Connection, batch: int) -> Iterator[Entry]:
    """All sequenced entries in order, in batches."""
    start = 0
    while True:
        query = columns(Entry, entries).where(entries.c.position >= start)
        found = fetch(conn, Entry, query.order_by(entries.c.position).limit(batch))
        if not found:
            return
        yield from found
        start = (found[-1].position or 0) + 1


def size(conn: Connection) -> int:
    """How many entries have a position: one more than the last."""
    last = conn.execute(select(func.max(entries.c.position))).scalar()
    return 0 if last is None else last + 1


def waiting(conn: Connection) -> int:
    """How many entries have no position yet."""
    query = select(func.count()).select_from(entries).where(entries.c.position.is_(None))
    return conn.execute(query).scalar_one()


def oldest_waiting(conn: Connection) -> datetime | None:
    """When the oldest entry without a position was written; None when none waits."""
    query = select(entries.c.created_at).where(entries.c.position.is_(None))
    return conn.execute(query.order_by(entries.c.created_at).limit(1)).scalar()


def of_subject(conn: Connection, subject_id: str) -> list[Entry]:
    """Entries about one subject, oldest first."""
    query = columns(Entry, entries).where(entries.c.subject_id == subject_id)
    return fetch(conn, Entry, query.order_by(entries.c.id))


def states(conn: Connection) -> dict[str, tuple[str, int]]:
    """State and version of every row whose changes the ledger records, by id."""
    found: dict[str, tuple[str, int]] = {}
    for name in STATEFUL:
        table = metadata.tables[name]
        if name == "keys":
            query: Any = select(table.c.id, table.c.destroyed_at, table.c.version)
            for row in conn.execute(query):
                found[row.id] = ("destroyed" if row.destroyed_at else "live", row.version)
            continue
        for row in conn.execute(select(table.c.id, table.c.state, table.c.version)):
            found[row.id] = (row.state, row.version)
    for name, (_, state) in WRITTEN_ONCE.items():
        table = metadata.tables[name]
        for row in conn.execute(select(table.c.id, table.c.version)):
            found[row.id] = (state, row.version)
    return found
