"""Queries on cases."""

from __future__ import annotations

from sqlalchemy import Connection

from leitstand.core.medium import Case
from leitstand.store.rows import columns, fetch
from leitstand.store.tables import cases


def find(conn: Connection, tenant: str, case_id: str) -> Case | None:
    """One case by id."""
    query = columns(Case, cases).where(cases.c.id == case_id, cases.c.tenant_id == tenant)
    return next(iter(fetch(conn, Case, query)), None)


def every(conn: Connection, tenant: str) -> list[Case]:
    """All cases, newest first. Names are sealed, so finding one by name opens each."""
    query = columns(Case, cases).where(cases.c.tenant_id == tenant).order_by(cases.c.id.desc())
    return fetch(conn, Case, query)
