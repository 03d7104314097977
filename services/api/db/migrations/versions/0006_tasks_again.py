"""An index of the tasks that were started again: only those leave reports that nobody needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INDEX = "ix_import_tasks_again"
_AGAIN = sa.text("generation > 1")


def upgrade() -> None:
    """Go forward."""
    op.create_index(_INDEX, "import_tasks", ["id"], sqlite_where=_AGAIN, postgresql_where=_AGAIN)


def downgrade() -> None:
    """Go back."""
    op.drop_index(_INDEX, "import_tasks")
