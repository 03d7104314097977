"""Delivery profiles, validation reports, stereo durations, tasks counted by their master type."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import UtcDateTime

revision = "0005"
down_revision = "0004"

_ATMOS = "dolby_atmos"  # until now there was no other master type
_COUNTED = f"tasks.{_ATMOS}"
_COPY = sa.text(
    "INSERT INTO totals (tenant, collection, status, n) "
    "SELECT tenant, :counted, status, n FROM totals WHERE collection = 'import_tasks'"
).bindparams(counted=_COUNTED)
_ADDED = (
    ("tracks", "stereo_microseconds", sa.BigInteger()),
    ("import_tasks", "delivery_profile", sa.String(length=63)),
    ("records", "report_generation", sa.Integer()),
)


def upgrade() -> None:
    """Go forward."""
    for table, column, type_ in _ADDED:
        op.add_column(table, sa.Column(column, type_))
    op.add_column(
        "import_tasks",
        sa.Column("has_report", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "tombstones",
        sa.Column("master_type", sa.String(length=32), nullable=False, server_default=_ATMOS),
    )
    op.create_index(
        "ix_import_tasks_tenant_master_type_id", "import_tasks", ["tenant", "master_type", "id"]
    )
    op.create_table(
        "validation_reports",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["import_tasks.id"], name="fk_validation_reports_task_id"
        ),
        sa.PrimaryKeyConstraint("task_id", "generation", name="pk_validation_reports"),
    )
    op.create_table(
        "tenant_settings",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("delivery_profile", sa.String(length=63)),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcDateTime),
        sa.PrimaryKeyConstraint("tenant", name="pk_tenant_settings"),
    )
    op.execute(_COPY)


def downgrade() -> None:
    """Go back; not as batches, which would drop tables that others refer to."""
    op.execute(sa.text("DELETE FROM totals WHERE collection LIKE 'tasks.%'"))
    op.drop_table("tenant_settings")
    op.drop_table("validation_reports")
    op.drop_index("ix_import_tasks_tenant_master_type_id", "import_tasks")
    op.drop_column("tombstones", "master_type")
    op.drop_column("import_tasks", "has_report")
    for table, column, _ in _ADDED:
        op.drop_column(table, column)
