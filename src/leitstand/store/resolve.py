"""From what a person types to an identifier: the whole id, or its shortest unique ending."""

from __future__ import annotations

import re

from sqlalchemy import Connection, select

from leitstand.store.tables import metadata

_SHORT = re.compile(r"^(?:[a-z]-)?([0-9A-Za-z]{1,26})$")


def candidates(conn: Connection, table: str, tenant: str, given: str, most: int) -> list[str]:
    """Ids that `given` may mean: itself, or up to `most` that end with it (letters in any case)."""
    found = metadata.tables[table]
    query = select(found.c.id).where(found.c.tenant_id == tenant)
    if conn.execute(query.where(found.c.id == given)).first():
        return [given]
    short = _SHORT.match(given)
    if short is None:
        return []
    ending = "%" + short[1].upper()
    rows = conn.execute(query.where(found.c.id.like(ending)).limit(most)).scalars()
    return list(rows)
