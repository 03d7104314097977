"""Covers of products and tracks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import UtcDateTime

revision = "0014"
down_revision = "0013"

_COVERED = ("products", "tracks")
_TARGET = (("target_type", sa.String(length=32)), ("target_id", sa.Uuid()))
_INDEXED = (("tenant_id", ["tenant", "id"]), ("blob_key", ["blob_key"]))


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "covers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("target_type", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("blob_key", sa.String(length=255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("thumbnail_key", sa.String(length=255), nullable=False),
        sa.Column("thumbnail_size", sa.BigInteger(), nullable=False),
        sa.Column("thumbnail_md5", sa.String(length=32), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_covers"),
    )
    for name, columns in (*_INDEXED, ("thumbnail_key", ["thumbnail_key"])):
        op.create_index(f"ix_covers_{name}", "covers", columns)
    for table in _COVERED:
        op.add_column(table, sa.Column("cover_id", sa.Uuid()))
    for name, kind in _TARGET:
        op.add_column("uploads", sa.Column(name, kind))


def downgrade() -> None:
    """Go back."""
    for name, _ in _TARGET:
        op.drop_column("uploads", name)
    for table in _COVERED:
        op.drop_column(table, "cover_id")
    op.drop_table("covers")
