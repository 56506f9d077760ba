"""Locks inside a write transaction, for decisions that rest on many rows at once."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, func, select


def hold(conn: Connection, name: str) -> None:
    """Wait for `name` and keep it until this transaction ends.

    On SQLite there is one writer, so every transaction has every lock. On PostgreSQL it is taken
    before reading what the decision rests on, and given back after the commit is visible.
    """
    if conn.dialect.name == "postgresql":
        digest = hashlib.sha256(f"leitstand row lock {name}".encode()).digest()
        key = int.from_bytes(digest[:8], "big", signed=True)
        conn.execute(select(func.pg_advisory_xact_lock(key)))
