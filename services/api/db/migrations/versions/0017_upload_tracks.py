"""Upload tracks, jobs, and uploads that are kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0017"
down_revision = "0016"

_EXPIRES = sa.text("state <> 'kept'")
_IS_WAITING = sa.text("ended_at IS NULL AND task_id IS NOT NULL")
_EXPIRES_AT = "ix_uploads_expires_at"


def upgrade() -> None:
    """Go forward."""
    op.drop_index(_EXPIRES_AT, table_name="uploads")
    op.create_index(
        _EXPIRES_AT, "uploads", ["expires_at"], sqlite_where=_EXPIRES, postgresql_where=_EXPIRES
    )
    op.create_table(
        "upload_tracks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("track_type", sa.String(length=16), nullable=False),
        sa.Column("language_code", sa.String(length=64), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("closed_captions", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_upload_tracks"),
    )
    for middle in ((), ("updated_at",), ("upload_id",)):
        columns = ["tenant", *middle, "id"]
        op.create_index(f"ix_upload_tracks_{'_'.join(columns)}", "upload_tracks", columns)
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=32), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("task_id", sa.Uuid()),
        sa.Column("ended_at", UtcDateTime()),
        sa.Column("error", Json),
        sa.Column("result", Json),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_tenant_id", "jobs", ["tenant", "id"])
    op.create_index("uq_jobs_number", "jobs", ["tenant", "number"], unique=True)
    op.create_index(
        "ix_jobs_task_id",
        "jobs",
        ["task_id"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )
    op.create_index("ix_jobs_ended_at", "jobs", ["ended_at"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("jobs")
    op.drop_table("upload_tracks")
    op.drop_index(_EXPIRES_AT, table_name="uploads")
    op.create_index(_EXPIRES_AT, "uploads", ["expires_at"])
