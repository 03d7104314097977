"""Versions of tracks, the order by change, tombstones, idempotency keys, the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("tracks") as tracks:
        tracks.add_column(sa.Column("version", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_index("ix_tracks_tenant_updated_at_id", "tracks", ["tenant", "updated_at", "id"])
    op.create_index(
        "ix_import_tasks_tenant_updated_at_id", "import_tasks", ["tenant", "updated_at", "id"]
    )
    op.create_table(
        "tombstones",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_tombstones"),
    )
    op.create_index(
        "ix_tombstones_tenant_deleted_at_task_id",
        "tombstones",
        ["tenant", "deleted_at", "task_id"],
    )
    op.create_index("ix_tombstones_deleted_at", "tombstones", ["deleted_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("principal", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
    op.create_index("ix_audit_log_tenant_id", "audit_log", ["tenant", "id"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("audit_log")
    op.drop_table("idempotency_keys")
    op.drop_table("tombstones")
    op.drop_index("ix_import_tasks_tenant_updated_at_id", "import_tasks")
    op.drop_index("ix_tracks_tenant_updated_at_id", "tracks")
    with op.batch_alter_table("tracks") as tracks:
        tracks.drop_column("version")
