"""Queries on ledger entries, the rows they are about, and the signed heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
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

from leitstand.core.ledger import read_leaf, row_digest
from leitstand.store.rows import chunks, columns, fetch
from leitstand.store.tables import attempts, entries, heads, job_media, metadata

WRITTEN_ONCE = {"results": "committed", "decisions": "made", "charges": "booked", "rents": "booked"}
"""Tables whose rows never change, and the state that their one entry says. Every change of a row of
the others has exactly one entry; `keys` have `destroyed_at` instead of a state."""
RECORDED = {
    "keys": ("kind", "owner_id"),
    "cases": ("data_class", "retention_until", "legal_hold", "key_id"),
    "media": ("case_id", "key_id"),
    "jobs": ("case_id", "profile", "deadline_at", "budget_cap", "key_id", "models", "decision_id"),
    "tasks": (
        *("job_id", "medium_id", "pipeline", "stream", "first_segment", "last_segment"),
        *("tier_min", "input_object_id"),
    ),
    "attempts": ("task_id", "instance_id", "fence"),
    "instances": (
        *("provider", "provider_id", "label", "offer", "price", "end_by"),
        *("tier", "region", "facts"),
    ),
    "reservations": ("job_id", "instance_id"),
    "results": ("task_id", "attempt_id", "segment", "fence", "object_id", "gap"),
    "decisions": ("kind", "inputs", "verdict", "reasons"),
    "charges": ("instance_id", "job_id", "from_at", "to_at", "amount", "currency", "source"),
    "volumes": ("provider", "provider_id", "name", "place", "size_gb", "price"),
    "rents": ("volume_id", "from_at", "to_at", "amount"),
}
"""Columns that never change without an entry: the entry holds their digest, with the tenant and, for
a job, the media it is about. Other columns are readings, terms and leases, or drawn by a
cryptographic library: the random seed alone fixes the root."""


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


def signed_heads(conn: Connection, most: int | None = None) -> list[Signed]:
    """All signed heads, or so many, largest first."""
    query = columns(Signed, heads).order_by(heads.c.size.desc())
    return fetch(conn, Signed, query if most is None else query.limit(most))


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
    """When an entry of this type about a subject was last written; None where there is none. An
    entry that cannot be read is none: verification names it."""
    query = select(entries.c.created_at, entries.c.leaf).where(entries.c.subject_id == subject_id)
    for row in conn.execute(query.order_by(entries.c.id.desc())):
        with suppress(ValueError):
            if read_leaf(row.leaf)["type"] == kind:
                at: datetime = row.created_at
                return at
    return None


def digests(conn: Connection, noun: str, ids: Sequence[str]) -> dict[str, str]:
    """By id, the digest of what the entries of these rows record of them beside their state."""
    name = "media" if noun == "medium" else f"{noun}s"
    found: dict[str, str] = {}
    for some in chunks(ids):
        query = _recorded(name).where(metadata.tables[name].c.id.in_(some))
        given = _media(conn, some) if name == "jobs" else {}
        found |= {row.id: _digest(name, row, given) for row in conn.execute(query)}
    return found


def states(conn: Connection) -> dict[str, tuple[str, int, str]]:
    """State, version and digest of every row whose changes the ledger records, by id. The digest
    of a row that holds what was never written there (SQLite takes any type) is no digest at all."""
    found: dict[str, tuple[str, int, str]] = {}
    given = _media(conn, None)
    for name in RECORDED:
        for row in conn.execute(_recorded(name)):
            if name == "keys":
                state = "destroyed" if row.destroyed else "live"
            else:
                state = WRITTEN_ONCE.get(name) or row.state
            found[row.id] = (state, row.version, _digest(name, row, given))
    return found


def released(conn: Connection) -> set[str]:
    """Attempts that got their key."""
    query = select(attempts.c.id).where(attempts.c.key_released_at.is_not(None))
    return set(conn.execute(query).scalars())


def _recorded(name: str) -> Select[Any]:
    """What the ledger says of the rows of a table. Recorded columns are read as they are stored:
    times and money as whole numbers, documents as canonical text."""
    table = metadata.tables[name]
    shown: list[ColumnElement[Any]] = [table.c.id, table.c.version, table.c.tenant_id]
    if name == "keys":
        shown.append(table.c.destroyed_at.is_not(None).label("destroyed"))
    elif name not in WRITTEN_ONCE:
        shown.append(table.c.state)
    for column in (table.c[column] for column in RECORDED[name]):
        kind = column.type
        stored = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
        shown.append(type_coerce(column, stored).label(column.name))
    return select(*shown)


def _media(conn: Connection, job_ids: Sequence[str] | None) -> dict[str, str]:
    """The media of these jobs, or of all, in the order they were given."""
    query = select(job_media).order_by(job_media.c.job_id, job_media.c.place)
    if job_ids is not None:
        query = query.where(job_media.c.job_id.in_(job_ids))
    found: dict[str, list[str]] = {}
    for row in conn.execute(query):
        found.setdefault(row.job_id, []).append(f"{row.place} {row.medium_id}")
    return {job_id: ",".join(given) for job_id, given in found.items()}


def _digest(name: str, row: Row[Any], given: Mapping[str, str]) -> str:
    recorded = {column: row._mapping[column] for column in ("tenant_id", *RECORDED[name])}
    if name == "jobs":
        recorded["media"] = given.get(row.id, "")
    try:
        return row_digest(recorded)
    except TypeError:
        return "unreadable"
