"""Queries on ledger entries, the rows they are about, and the signed heads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    TypeDecorator,
    bindparam,
    func,
    select,
    type_coerce,
    update,
)

from leitstand.core.ledger import row_digest
from leitstand.store.rows import columns, fetch
from leitstand.store.tables import entries, heads, metadata

STATEFUL = ("cases", "media", "jobs", "tasks", "attempts", "instances", "reservations", "keys")
"""Tables whose every row change has exactly one entry; `keys` by `destroyed_at` instead of a state."""
WRITTEN_ONCE = {"results": "committed", "decisions": "made", "charges": "booked"}
"""Tables whose rows never change, and the state that their one entry says."""
RECORDED = {
    "cases": ("data_class", "retention_until", "legal_hold", "key_id"),
    "jobs": ("case_id", "profile", "deadline_at", "budget_cap", "key_id", "models", "decision_id"),
    "instances": (
        *("provider", "provider_id", "label", "offer", "price", "end_by"),
        *("tier", "region", "facts"),
    ),
    "results": ("task_id", "attempt_id", "segment", "fence", "object_id"),
    "decisions": ("kind", "inputs", "verdict", "reasons"),
    "charges": ("instance_id", "job_id", "from_at", "to_at", "amount", "currency", "source"),
}
"""Columns that never change without an entry: the entry holds their digest. Other columns are
readings and leases, or of tables where state and version are all that is recorded."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One leaf of the ledger; `position` is None until the sequencer saw it."""

    id: str
    subject_id: str
    leaf: bytes
    leaf_hash: bytes
    position: int | None


@dataclass(frozen=True, slots=True)
class Signed:
    """What a head vouches for, and by which note."""

    size: int
    root: str
    note: str


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


def every_head(conn: Connection) -> list[Signed]:
    """All signed heads, smallest first."""
    return fetch(conn, Signed, columns(Signed, heads).order_by(heads.c.size))


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


def last_at(conn: Connection, subject_id: str, kind: str) -> datetime | None:
    """When an entry of this type about a subject was last written; None where there is none."""
    query = select(entries.c.created_at, entries.c.leaf).where(entries.c.subject_id == subject_id)
    found = conn.execute(query.order_by(entries.c.id.desc()))
    return next((row.created_at for row in found if json.loads(row.leaf)["type"] == kind), None)


def digest(conn: Connection, noun: str, row_id: str) -> str | None:
    """Digest of what a row's entry records of it beside its state; None where that is nothing."""
    name = f"{noun}s"
    if name not in RECORDED:
        return None
    query = _recorded(name).where(metadata.tables[name].c.id == row_id)
    return _digest(name, conn.execute(query).one())


def states(conn: Connection) -> dict[str, tuple[str, int, str | None]]:
    """State, version and digest of every row whose changes the ledger records, by id. The digest
    of a row that holds what was never written there (SQLite takes any type) is no digest at all."""
    found: dict[str, tuple[str, int, str | None]] = {}
    for name in (*STATEFUL, *WRITTEN_ONCE):
        for row in conn.execute(_recorded(name)):
            if name == "keys":
                state = "destroyed" if row.destroyed else "live"
            else:
                state = WRITTEN_ONCE.get(name) or row.state
            found[row.id] = (state, row.version, _digest(name, row))
    return found


def _recorded(name: str) -> Select[Any]:
    """What the ledger says of the rows of a table. Recorded columns are read as they are stored:
    times and money as whole numbers, documents as canonical text."""
    table = metadata.tables[name]
    shown: list[ColumnElement[Any]] = [table.c.id, table.c.version]
    if name == "keys":
        shown.append(table.c.destroyed_at.is_not(None).label("destroyed"))
    elif name not in WRITTEN_ONCE:
        shown.append(table.c.state)
    for column in (table.c[column] for column in RECORDED.get(name, ())):
        kind = column.type
        stored = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
        shown.append(type_coerce(column, stored).label(column.name))
    return select(*shown)


def _digest(name: str, row: Row[Any]) -> str | None:
    columns = RECORDED.get(name)
    if columns is None:
        return None
    try:
        return row_digest({column: row._mapping[column] for column in columns})
    except TypeError:
        return "unreadable"
