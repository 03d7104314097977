"""Failed tasks by age, for their retention; which versions can work with these tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_FAILED = "ix_import_tasks_failed"
_IS_FAILED = sa.text("status IN ('download_failed', 'validation_failed')")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "compatibility",
        sa.Column("oldest_revision", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("oldest_revision", name="pk_compatibility"),
    )
    op.create_index(
        _FAILED,
        "import_tasks",
        ["updated_at"],
        sqlite_where=_IS_FAILED,
        postgresql_where=_IS_FAILED,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index(_FAILED, "import_tasks")
    op.drop_table("compatibility")
