"""Migrations of a version that does not exist yet."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from services.api.db import schema

if TYPE_CHECKING:
    from pathlib import Path

_STEP = '''
from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
contracts = {contracts}


def upgrade() -> None:
    {step}


def downgrade() -> None:
    """No way back."""
'''
EXPANDS = """op.add_column("import_tasks", sa.Column("later", sa.String(length=8)))
    op.create_index("ix_import_tasks_later", "import_tasks", ["later"])"""
CONTRACTS = 'op.drop_column("tracks", "stereo_microseconds")'


def future_scripts(folder: Path, *steps: str) -> Path:
    """The present migrations and some more: f001, f002, …; EXPANDS or CONTRACTS."""
    scripts = folder / "migrations"
    shutil.copytree(schema.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    before = max(path.name[:4] for path in (scripts / "versions").glob("0*.py"))
    for number, step in enumerate(steps, 1):
        text = _STEP.format(
            revision=f"f{number:03d}", before=before, contracts=step is CONTRACTS, step=step
        )
        (scripts / "versions" / f"f{number:03d}_later.py").write_text(text)
        before = f"f{number:03d}"
    return scripts
