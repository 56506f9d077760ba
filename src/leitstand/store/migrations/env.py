"""Alembic's entry: runs revisions on the given connection, in the transaction of its caller."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from leitstand.store import migrations
from leitstand.store.tables import metadata


def _plain(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_item=_plain,
    **migrations.options(),
)
context.run_migrations()
