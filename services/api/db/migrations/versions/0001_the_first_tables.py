"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0001"
down_revision = None

_VALID = sa.text("superseded_at IS NULL")
_VALID_ATMOS = sa.text("superseded_at IS NULL AND master_type = 'dolby_atmos'")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
    )
    op.create_table(
        "doomed_blobs",
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("doomed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("blob_key", name="pk_doomed_blobs"),
    )
    op.create_index("ix_doomed_blobs_doomed_at", "doomed_blobs", ["doomed_at"])

    op.create_table(
        "import_tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("master_type", sa.String(length=32), nullable=False),
        sa.Column("source_uri", sa.String(length=2048)),
        sa.Column("isrc", sa.String(length=12)),
        sa.Column("target_type", sa.String(length=32)),
        sa.Column("target_id", sa.Uuid()),
        sa.Column("declared_md5", sa.String(length=32)),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid()),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("deadline", UtcDateTime),
        sa.Column("done_bytes", sa.BigInteger()),
        sa.Column("total_bytes", sa.BigInteger()),
        sa.Column("blob_key", sa.String(length=255)),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("actual_md5", sa.String(length=32)),
        sa.Column("format", Json),
        sa.Column("problems", Json, nullable=False),
        sa.Column("last_failure", Json),
        sa.Column("record_id", sa.Uuid()),
        sa.CheckConstraint(
            "status IN ('pending', 'downloading', 'downloaded', 'validating', 'completed',"
            " 'download_failed', 'validation_failed')",
            name="ck_import_tasks_status",
        ),
        sa.CheckConstraint(
            "(run_id IS NULL) = (lease_until IS NULL)", name="ck_import_tasks_claim"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_import_tasks"),
    )
    op.create_index(
        "ix_import_tasks_blob_key",
        "import_tasks",
        ["blob_key"],
        sqlite_where=sa.text("blob_key IS NOT NULL"),
        postgresql_where=sa.text("blob_key IS NOT NULL"),
    )
    op.create_index(
        "ix_import_tasks_due_at",
        "import_tasks",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_import_tasks_tenant_id", "import_tasks", ["tenant", "id"])
    op.create_index("ix_import_tasks_tenant_status_id", "import_tasks", ["tenant", "status", "id"])
    op.create_index(
        "ix_import_tasks_tenant_target_id_id", "import_tasks", ["tenant", "target_id", "id"]
    )

    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("time", UtcDateTime, nullable=False),
        sa.Column("taken_until", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_table(
        "tokens",
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("scopes", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("key_id", name="pk_tokens"),
    )
    op.create_table(
        "totals",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("collection", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "collection", "status", name="pk_totals"),
    )
    op.create_table(
        "tracks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("isrc", sa.String(length=12)),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tracks"),
    )
    op.create_index("ix_tracks_tenant_id", "tracks", ["tenant", "id"])

    op.create_table(
        "records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("target_type", sa.String(length=32)),
        sa.Column("target_id", sa.Uuid()),
        sa.Column("isrc", sa.String(length=12)),
        sa.Column("master_type", sa.String(length=32), nullable=False),
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("format", Json, nullable=False),
        sa.Column("problems", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("superseded_at", UtcDateTime),
        sa.ForeignKeyConstraint(["task_id"], ["import_tasks.id"], name="fk_records_task_id"),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
    )
    op.create_index("ix_records_blob_key", "records", ["blob_key"])
    op.create_index("ix_records_task_id", "records", ["task_id"])
    op.create_index(
        "ix_records_tenant_id",
        "records",
        ["tenant", "id"],
        sqlite_where=_VALID,
        postgresql_where=_VALID,
    )
    op.create_index("ix_records_tenant_target_id_id", "records", ["tenant", "target_id", "id"])
    op.create_index(
        "uq_records_valid_isrc",
        "records",
        ["tenant", "isrc"],
        unique=True,
        sqlite_where=_VALID_ATMOS,
        postgresql_where=_VALID_ATMOS,
    )
    op.create_index(
        "uq_records_valid_task",
        "records",
        ["task_id"],
        unique=True,
        sqlite_where=_VALID,
        postgresql_where=_VALID,
    )


def downgrade() -> None:
    """Go back; the indexes go with their tables."""
    op.drop_table("records")
    op.drop_table("tracks")
    op.drop_table("totals")
    op.drop_table("tokens")
    op.drop_table("outbox")
    op.drop_table("import_tasks")
    op.drop_table("doomed_blobs")
    op.drop_table("dead_letters")
