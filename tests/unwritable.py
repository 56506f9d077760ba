"""A database that cannot be written for a while, and can be read all along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from leitstand.ports import Database


@contextmanager
def unwritable(database: Database) -> Iterator[None]:
    """Within the block SQLite refuses every change, as where its disk was mounted read-only."""
    found: list[Any] = []
    database.write(lambda conn: found.append(conn.connection.dbapi_connection))
    found[0].execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        found[0].execute("PRAGMA query_only = OFF")
