"""Publish jobs, what is published in them, and the files that come of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0012"
down_revision = "0011"

_STATUSES = ("draft", "queued", "publishing", "published", "publish_failed")
_SETTINGS = (("contact_email", 320), ("upload_master_type", 32))


def upgrade() -> None:
    """Go forward."""
    for name, length in _SETTINGS:
        op.add_column("tenant_settings", sa.Column(name, sa.String(length=length)))
    _create_jobs()
    _create_publications()
    _create_renditions()


def _create_jobs() -> None:
    op.create_table(
        "publish_jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("contact_email", sa.String(length=320)),
        sa.Column("oncomplete", sa.String(length=2048)),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        *(sa.Column(f"{each}_count", sa.BigInteger(), nullable=False) for each in _STATUSES),
        sa.PrimaryKeyConstraint("id", name="pk_publish_jobs"),
    )
    op.create_index("ix_publish_jobs_tenant_id", "publish_jobs", ["tenant", "id"])
    op.create_index(
        "ix_publish_jobs_tenant_updated_at_id", "publish_jobs", ["tenant", "updated_at", "id"]
    )
    op.create_index("uq_publish_jobs_number", "publish_jobs", ["tenant", "number"], unique=True)
    op.create_index(
        "uq_publish_jobs_default",
        "publish_jobs",
        ["tenant"],
        unique=True,
        sqlite_where=sa.text("is_default"),
        postgresql_where=sa.text("is_default"),
    )


def _create_publications() -> None:
    statuses = ", ".join(f"'{each}'" for each in _STATUSES)
    op.create_table(
        "publications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid()),
        sa.Column("lease_until", UtcDateTime()),
        sa.Column("deadline", UtcDateTime()),
        sa.Column("done_bytes", sa.BigInteger()),
        sa.Column("total_bytes", sa.BigInteger()),
        sa.Column("problems", Json, nullable=False),
        sa.Column("last_failure", Json),
        sa.Column("traceparent", sa.String(length=55)),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("formats", Json, nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("record_id", sa.Uuid()),
        sa.CheckConstraint(f"status IN ({statuses})", name="ck_publications_status"),
        sa.CheckConstraint(
            "(run_id IS NULL) = (lease_until IS NULL)", name="ck_publications_claim"
        ),
        sa.ForeignKeyConstraint(["job_id"], ["publish_jobs.id"], name="fk_publications_job_id"),
        sa.ForeignKeyConstraint(["task_id"], ["import_tasks.id"], name="fk_publications_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
    )
    for columns in (["tenant", "id"], ["tenant", "updated_at", "id"], ["job_id", "status", "id"]):
        op.create_index(f"ix_publications_{'_'.join(columns)}", "publications", columns)
    op.create_index("ix_publications_task_id", "publications", ["task_id"])
    op.create_index("uq_publications_number", "publications", ["tenant", "number"], unique=True)
    op.create_index(
        "ix_publications_due_at",
        "publications",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _create_renditions() -> None:
    op.create_table(
        "renditions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("publication_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("sample_rate", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("bit_depth", sa.Integer(), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=False),
        sa.Column("integrated_lufs", sa.Float()),
        sa.Column("true_peak_dbtp", sa.Float()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["publication_id"], ["publications.id"], name="fk_renditions_publication_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_renditions"),
    )
    op.create_index("ix_renditions_tenant_id", "renditions", ["tenant", "id"])
    op.create_index("ix_renditions_blob_key", "renditions", ["blob_key"])
    op.create_index("uq_renditions_format", "renditions", ["publication_id", "format"], unique=True)


def downgrade() -> None:
    """Go back."""
    for table in ("renditions", "publications", "publish_jobs"):
        op.drop_table(table)
    for name, _ in _SETTINGS:
        op.drop_column("tenant_settings", name)
