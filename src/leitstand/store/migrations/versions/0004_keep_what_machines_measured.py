"""Keep what machines measured of their speed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    for name in ("probes", "probe_seconds"):
        op.add_column("hosts", sa.Column(name, sa.Float(), nullable=False, server_default="0"))
