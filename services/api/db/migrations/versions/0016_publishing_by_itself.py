"""Publish jobs that are run by themselves; the files that masters came as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import UtcDateTime

revision = "0016"
down_revision = "0015"

_NAMES = ("file_name", "file_stem")
_RUN_AT = "ix_publish_jobs_run_at"
_STEM = "ix_publications_job_id_file_stem"


def upgrade() -> None:
    """Go forward."""
    op.add_column("publish_jobs", sa.Column("run_at", UtcDateTime()))
    runs_by_itself = sa.text("run_at IS NOT NULL")
    op.create_index(
        _RUN_AT,
        "publish_jobs",
        ["run_at"],
        sqlite_where=runs_by_itself,
        postgresql_where=runs_by_itself,
    )
    for name in _NAMES:
        op.add_column("publications", sa.Column(name, sa.String(length=255)))
    op.create_index(_STEM, "publications", ["job_id", "file_stem", "id"])


def downgrade() -> None:
    """Go back."""
    op.drop_index(_STEM, "publications")
    for name in _NAMES:
        op.drop_column("publications", name)
    op.drop_index(_RUN_AT, "publish_jobs")
    op.drop_column("publish_jobs", "run_at")
