"""The database of a system, read past its services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from services.api.db import tables
from services.api.db.engine import open_engines
from services.api.domain.lifecycle import FINAL

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy import Connection, Executable

Row = dict[str, Any]

TABLES = (
    tables.import_tasks,
    tables.records,
    tables.publications,
    tables.renditions,
    tables.outbox,
    tables.doomed_blobs,
    tables.tombstones,
    tables.audit_log,
    tables.dead_letters,
)
_SAID = ("status", "generation", "version", "attempts", "published", "due_at", "run_id")
_SAID_TOO = ("lease_until", "done_bytes", "last_failure", "problems")


async def read(url: str) -> dict[str, list[Row]]:
    """Every row of the tables that the invariants speak of, by the table's name."""

    def query(connection: Connection) -> dict[str, list[Row]]:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in TABLES
        }

    engines = open_engines(url)
    try:
        async with engines.read.connect() as connection:
            return await connection.run_sync(query)
    finally:
        await engines.dispose()


async def one(url: str, id_: UUID) -> Row:
    """The row of a task."""
    return next(row for row in (await read(url))["import_tasks"] if row["id"] == id_)


async def execute(url: str, *statements: Executable) -> None:
    """Change the database behind everybody's back."""
    engines = open_engines(url)
    try:
        async with engines.write.begin() as connection:
            for statement in statements:
                await connection.execute(statement)
    finally:
        await engines.dispose()


async def scalar(url: str, statement: Executable) -> Any:
    """Ask the database for one value."""
    engines = open_engines(url)
    try:
        async with engines.read.connect() as connection:
            return (await connection.execute(statement)).scalar_one()
    finally:
        await engines.dispose()


async def describe(url: str, ids: Collection[UUID] | None = None) -> str:
    """What the rows of these tasks say, or of all that are not final: a line for each."""
    found = (await read(url))["import_tasks"]
    wanted = [
        row for row in found if (row["status"] not in FINAL if ids is None else row["id"] in ids)
    ]
    return "\n".join(_line(row) for row in wanted) or "all that there are are final"


def _line(row: Row) -> str:
    return f"{row['id']}: " + ", ".join(f"{name}={row[name]}" for name in (*_SAID, *_SAID_TOO))
