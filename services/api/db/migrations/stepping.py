"""The steps themselves, by Alembic: loading it takes a tenth of a service's start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, inspect

from services.api.db import schema
from services.api.db.tables import compatibility
from shared.lean import without

with without("pygments"):  # its templates would load it for colours
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def up(connection: Connection, revision: str, scripts: Path) -> None:
    """Take the steps up to a revision."""
    command.upgrade(_config(connection, scripts), revision)
    _note_compatibility(connection, scripts)


def down(connection: Connection, revision: str, scripts: Path) -> None:
    """Take the steps back to a revision."""
    command.downgrade(_config(connection, scripts), revision)
    _note_compatibility(connection, scripts)


def _note_compatibility(connection: Connection, scripts: Path) -> None:
    """Write down the oldest revision whose programs can work with the tables as they are now."""
    present = schema.revision(connection)
    if present is None or not inspect(connection).has_table(compatibility.name):
        return
    directory = ScriptDirectory.from_config(_config(connection, scripts))
    steps = list(directory.walk_revisions("base", present))
    contracting = [step for step in steps if getattr(step.module, "contracts", False)]
    oldest = (contracting or steps[-1:])[0].revision
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(oldest_revision=oldest))


def _config(connection: Connection, scripts: Path) -> Config:
    """Alembic's settings for this connection."""
    settings = Config()
    settings.set_main_option("script_location", str(scripts))
    settings.attributes["connection"] = connection
    return settings
