"""In which trace a task's generation was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Go forward."""
    op.add_column("import_tasks", sa.Column("traceparent", sa.String(length=55)))


def downgrade() -> None:
    """Go back; not as a batch, which would drop the table that records refer to."""
    op.drop_column("import_tasks", "traceparent")
