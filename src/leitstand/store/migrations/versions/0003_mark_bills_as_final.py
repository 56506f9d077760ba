"""Mark bills as final."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Expand the schema."""
    op.add_column("instances", sa.Column("bill_final_at", sa.BigInteger(), nullable=True))
