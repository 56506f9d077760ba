"""How rows are born, moved and read: the only three shapes a write has.

Every state change names the state it expects; a row that is no longer there or elsewhere makes the
write stale, and a stale write changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Row, Select, Table, bindparam, insert, select, update
from sqlalchemy.engine import CursorResult

IDS_PER_STATEMENT = 500
"""SQLite binds at most 32,766 values; this also keeps plans small."""

T = TypeVar("T")


class Stale(Exception):
    """A guarded write met fewer rows than it named: somebody else was first."""


def build(kind: type[T], row: Row[Any]) -> T:
    """A core type from a row that has (at least) its columns."""
    mapping = row._mapping
    fields = dataclasses.fields(cast(Any, kind))
    return kind(**{field.name: mapping[field.name] for field in fields})


def columns(kind: type[Any], table: Table) -> Select[Any]:
    """SELECT of exactly the columns that `kind` has fields for."""
    return select(*(table.c[field.name] for field in dataclasses.fields(kind)))


def fetch(conn: Connection, kind: type[T], query: Select[Any]) -> list[T]:
    """All rows of a query over `columns(kind, …)`."""
    return [build(kind, row) for row in conn.execute(query)]


def add(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows in one statement."""
    if rows:
        conn.execute(insert(table), [dict(row) for row in rows])


def move(
    conn: Connection,
    table: Table,
    tenant: str,
    changes: Sequence[tuple[str, str, str, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Guarded state changes: `(id, expected state, new state, other columns)`.

    Changes with the same states and columns are one executemany. Raises Stale unless every row
    was met; the caller's savepoint then undoes the others.
    """
    groups: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, Mapping[str, Any]]]] = {}
    for row_id, old, new, values in changes:
        groups.setdefault((old, new, tuple(sorted(values))), []).append((row_id, values))
    for (old, new, names), members in groups.items():
        statement = (
            update(table)
            .where(
                table.c.id == bindparam("b_id"),
                table.c.tenant_id == tenant,
                table.c.state == old,
            )
            .values(
                state=new,
                version=table.c.version + 1,
                updated_at=now,
                **{name: bindparam(f"b_{name}") for name in names},
            )
        )
        bound = [
            {"b_id": row_id, **{f"b_{name}": values[name] for name in names}}
            for row_id, values in members
        ]
        met = cast(CursorResult[Any], conn.execute(statement, bound)).rowcount
        if met != len(members):
            raise Stale(f"{table.name}: {len(members) - met} of {len(members)} not in {old}")


def set_columns(conn: Connection, table: Table, tenant: str, row_id: str, **values: Any) -> None:
    """Change columns that are no state (readings, leases); no ledger entry belongs to these."""
    conn.execute(
        update(table).where(table.c.id == row_id, table.c.tenant_id == tenant).values(**values)
    )


def chunks(ids: Iterable[str]) -> Iterable[list[str]]:
    """Ids in lists small enough for one IN."""
    listed = list(ids)
    for start in range(0, len(listed), IDS_PER_STATEMENT):
        yield listed[start : start + IDS_PER_STATEMENT]
