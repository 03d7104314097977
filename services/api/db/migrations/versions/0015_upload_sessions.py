"""Upload sessions, and what they keep with tracks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import Json, UtcDateTime

revision = "0015"
down_revision = "0014"

_OF_TRACKS = (("organization_index", sa.String(length=255)), ("metadata", Json))
_IS_OF_A_SESSION = sa.text("session_id IS NOT NULL")
_HAS_CREATOR = sa.text("creator_id IS NOT NULL")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "upload_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("collection_id", sa.Uuid(), nullable=False),
        sa.Column("creator_id", sa.Uuid()),
        sa.Column("organization_index", sa.String(length=255)),
        sa.Column("metadata", Json),
        sa.PrimaryKeyConstraint("id", name="pk_upload_sessions"),
    )
    for name, columns in (
        ("tenant_id", ["tenant", "id"]),
        ("tenant_collection_id_id", ["tenant", "collection_id", "id"]),
        ("expires_at", ["expires_at"]),
    ):
        op.create_index(f"ix_upload_sessions_{name}", "upload_sessions", columns)
    op.create_index(
        "ix_upload_sessions_tenant_creator_id_id",
        "upload_sessions",
        ["tenant", "creator_id", "id"],
        sqlite_where=_HAS_CREATOR,
        postgresql_where=_HAS_CREATOR,
    )
    for name, kind in _OF_TRACKS:
        op.add_column("tracks", sa.Column(name, kind))
    op.add_column("uploads", sa.Column("session_id", sa.Uuid()))
    op.create_index(
        "ix_uploads_session_id",
        "uploads",
        ["session_id"],
        sqlite_where=_IS_OF_A_SESSION,
        postgresql_where=_IS_OF_A_SESSION,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_uploads_session_id", "uploads")
    op.drop_column("uploads", "session_id")
    for name, _ in reversed(_OF_TRACKS):
        op.drop_column("tracks", name)
    op.drop_table("upload_sessions")
