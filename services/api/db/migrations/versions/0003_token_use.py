"""When a token was last used, and which one took its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go forward."""
    with op.batch_alter_table("tokens") as tokens:
        tokens.add_column(sa.Column("last_used_at", UtcDateTime))
        tokens.add_column(sa.Column("successor", sa.String(length=16)))


def downgrade() -> None:
    """Go back."""
    with op.batch_alter_table("tokens") as tokens:
        tokens.drop_column("successor")
        tokens.drop_column("last_used_at")
