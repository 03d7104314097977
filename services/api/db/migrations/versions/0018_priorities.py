"""Priorities, and an index by which tenants take turns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_TABLES = ("import_tasks", "publications")
_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Go forward."""
    for table in _TABLES:
        # An older API, which knows none, goes on adding rows.
        priority = sa.Column("priority", sa.SmallInteger(), nullable=False, server_default="0")
        op.add_column(table, priority)
        columns = ["status", "priority", "tenant", "due_at"]
        op.create_index(f"ix_{table}_due", table, columns, sqlite_where=_DUE, postgresql_where=_DUE)
        op.drop_index(f"ix_{table}_due_at", table_name=table)


def downgrade() -> None:
    """Go back."""
    for table in _TABLES:
        op.create_index(
            f"ix_{table}_due_at", table, ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE
        )
        op.drop_index(f"ix_{table}_due", table_name=table)
        op.drop_column(table, "priority")
