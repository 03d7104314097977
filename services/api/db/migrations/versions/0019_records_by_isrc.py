"""Valid records are found by their ISRC, whatever master they are of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_NAME = "ix_records_tenant_isrc_id"
_VALID = sa.text("superseded_at IS NULL")


def upgrade() -> None:
    """Go forward."""
    columns = ["tenant", "isrc", "id"]
    op.create_index(_NAME, "records", columns, sqlite_where=_VALID, postgresql_where=_VALID)


def downgrade() -> None:
    """Go back."""
    op.drop_index(_NAME, "records")
