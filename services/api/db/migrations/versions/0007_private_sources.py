"""Header fields for private origins, bytes that tenants store and may store, running downloads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_RUNNING = "ix_import_tasks_running_downloads"
_IS_RUNNING = sa.text("status = 'downloading' AND run_id IS NOT NULL")
_COUNT = sa.text(
    "INSERT INTO tenant_storage (tenant, stored_bytes) SELECT tenant, sum(size_bytes) FROM ("
    "SELECT tenant, size_bytes FROM records WHERE superseded_at IS NULL UNION ALL "
    "SELECT tenant, size_bytes FROM import_tasks "
    "WHERE status IN ('downloaded', 'validating') AND blob_key IS NOT NULL"
    ") AS kept GROUP BY tenant"
)


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "source_headers",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["import_tasks.id"], name="fk_source_headers_task_id"),
        sa.PrimaryKeyConstraint("task_id", name="pk_source_headers"),
    )
    op.create_table(
        "tenant_storage",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("byte_quota", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenant_storage"),
    )
    op.create_index(
        _RUNNING,
        "import_tasks",
        ["tenant", "status"],
        sqlite_where=_IS_RUNNING,
        postgresql_where=_IS_RUNNING,
    )
    op.execute(_COUNT)


def downgrade() -> None:
    """Go back."""
    op.drop_index(_RUNNING, "import_tasks")
    op.drop_table("tenant_storage")
    op.drop_table("source_headers")
