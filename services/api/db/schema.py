"""Whether the tables are those that this version works with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from services.api.db.migrations import config
from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.db.engine import Engines


async def check_tables(engines: Engines) -> None:
    """Raise Unavailable unless there is a database on which every migration was run."""
    try:
        async with engines.read.connect() as connection:
            present, wanted = await connection.run_sync(_revisions)
    except (DBAPIError, OSError, TimeoutError) as error:
        raise Unavailable("The database does not answer.") from error
    if present is None:
        raise Unavailable("The database has no tables yet. Run `stagedoor db upgrade`.")
    if present != wanted:
        tables = f"The tables are at revision {present}, this version needs {wanted}."
        raise Unavailable(f"{tables} Run `stagedoor db upgrade`.")


def _revisions(connection: Connection) -> tuple[str | None, str | None]:
    present = MigrationContext.configure(connection).get_current_revision()
    return present, ScriptDirectory.from_config(config(connection)).get_current_head()
