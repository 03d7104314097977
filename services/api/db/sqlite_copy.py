"""A consistent copy of a SQLite database while others write to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from services.api.db.tables import metadata
from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from services.api.db.engine import Engines


async def copy_sqlite(engines: Engines, path: Path) -> None:
    """Copy what was committed into a file, all of one moment (SQLite's online backup API).

    Raises Unavailable.
    """
    try:
        async with engines.read.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            with closing(sqlite3.connect(path, check_same_thread=False)) as target:
                await driver.backup(target)
    except (DBAPIError, sqlite3.Error) as error:
        raise Unavailable("The database cannot be copied.") from error


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("PRAGMA quick_check").fetchall()
    except sqlite3.DatabaseError:
        return False
    return found == [("ok",)]


def count_rows(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in metadata.sorted_tables
    }
