"""Uploads, and import tasks whose bytes come from one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0011"
down_revision = "0010"

_HAS_BYTES = sa.text("blob_key IS NOT NULL")
_IS_LOOKED_FOR = sa.text("look_at IS NOT NULL")
_IS_UPLOADED = sa.text("source_upload_id IS NOT NULL")
_OF_TASKS = "ix_import_tasks_source_upload_id"


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("file_kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("file_name", sa.String(length=255)),
        sa.Column("content_type", sa.String(length=255)),
        sa.Column("size_limit", sa.BigInteger(), nullable=False),
        sa.Column("declared_size", sa.BigInteger()),
        sa.Column("declared_md5", sa.String(length=32)),
        sa.Column("blob_key", sa.String(length=255)),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("md5", sa.String(length=32)),
        sa.Column("task", Json),
        sa.Column("look_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_tenant_id", "uploads", ["tenant", "id"])
    op.create_index("ix_uploads_tenant_updated_at_id", "uploads", ["tenant", "updated_at", "id"])
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_index(
        "ix_uploads_blob_key",
        "uploads",
        ["blob_key"],
        sqlite_where=_HAS_BYTES,
        postgresql_where=_HAS_BYTES,
    )
    op.create_index(
        "ix_uploads_look_at",
        "uploads",
        ["look_at"],
        sqlite_where=_IS_LOOKED_FOR,
        postgresql_where=_IS_LOOKED_FOR,
    )
    op.add_column("import_tasks", sa.Column("source_upload_id", sa.Uuid()))
    op.create_index(
        _OF_TASKS,
        "import_tasks",
        ["source_upload_id"],
        sqlite_where=_IS_UPLOADED,
        postgresql_where=_IS_UPLOADED,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index(_OF_TASKS, "import_tasks")
    op.drop_column("import_tasks", "source_upload_id")
    op.drop_table("uploads")
