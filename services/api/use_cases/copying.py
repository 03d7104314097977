"""Copying a whole database into another one, of whichever kind."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from services.api.db import schema
from services.api.db.tables import compatibility, metadata
from services.api.domain.errors import Refusal, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.api.db.engine import Engines

BATCH = 2000
_SUM_BYTES = 16
TABLES = [table for table in metadata.sorted_tables if table is not compatibility]
"""Those that are copied, each behind those that it refers to; migrations fill the other one."""


class CopyRefused(Refusal):
    """The database is not copied."""

    reason = "COPY_REFUSED"


@dataclass(frozen=True, slots=True)
class Content:
    """How many rows a table has, and the sum of their hashes: the same in any order."""

    rows: int = 0
    sum: int = 0

    def plus(self, rows: list[Row[Any]]) -> Content:
        """With some rows more."""
        hashes = sum(_hash(row) for row in rows)
        return Content(self.rows + len(rows), (self.sum + hashes) % 2 ** (8 * _SUM_BYTES))


async def copy_database(source: Engines, target: Engines) -> Mapping[str, int]:
    """Copy every row in one transaction of the target; gives how many of each table.

    What is encrypted stays so: the target needs the same secret keys. Nobody may use the source,
    and the target has its tables, empty. Raises CopyRefused, Unavailable.
    """
    try:
        async with source.write.connect() as given, target.write.connect() as taken:
            await given.run_sync(_take_alone)
            await taken.run_sync(_be_patient)
            await _require_alike(given, taken)
            copied = {table.name: await _copy(table, given, taken) for table in TABLES}
            await taken.commit()
            await given.rollback()
    except (DBAPIError, OSError, TimeoutError) as error:
        raise Unavailable(f"A database did not do it: {error}".splitlines()[0]) from error
    return copied


def _take_alone(connection: Connection) -> None:
    """Keep others from writing. Raises CopyRefused if somebody has the database open."""
    if connection.dialect.name == "sqlite":
        _take_sqlite_alone(connection)
        return
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'stagedoor%' AND pid <> pg_backend_pid()"
    )
    if connection.execute(others).scalar_one():
        raise CopyRefused("Somebody uses the database to copy: stop it first.")
    names = ", ".join(table.name for table in TABLES)
    connection.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
    _be_patient(connection)


def _take_sqlite_alone(connection: Connection) -> None:
    driver: Any = connection.connection.cursor()
    # Nobody can leave the write-ahead log while somebody else has the database open.
    try:
        driver.execute("PRAGMA busy_timeout=0")
        driver.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        raise CopyRefused("Somebody uses the database to copy: stop it first.") from error
    driver.close()


def _be_patient(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {name} = 0"))


async def _require_alike(given: AsyncConnection, taken: AsyncConnection) -> None:
    for name, connection in (("FROM", given), ("TO", taken)):
        problem = await connection.run_sync(schema.judge)
        if problem is not None:
            raise CopyRefused(f"{name}: {problem}")
    if await given.run_sync(schema.revision) != await taken.run_sync(schema.revision):
        raise CopyRefused("The two have tables of different revisions.")
    for table in TABLES:
        if await taken.scalar(select(func.count()).select_from(table)):
            raise CopyRefused(f"TO is not empty: {table.name} has rows.")


async def _copy(table: Table, given: AsyncConnection, taken: AsyncConnection) -> int:
    content = Content()
    async with given.stream(select(table)) as result:
        async for rows in result.partitions(BATCH):
            content = content.plus(list(rows))
            await taken.execute(table.insert(), [dict(row._mapping) for row in rows])  # noqa: SLF001 - public
    if await _content(table, taken) != content:
        raise CopyRefused(f"{table.name} did not arrive as it was.")
    return content.rows


async def _content(table: Table, connection: AsyncConnection) -> Content:
    content = Content()
    async with connection.stream(select(table)) as result:
        async for rows in result.partitions(BATCH):
            content = content.plus(list(rows))
    return content


def _hash(row: Row[Any]) -> int:
    values = json.dumps([_plain(value) for value in row], sort_keys=True)
    return int.from_bytes(blake2b(values.encode(), digest_size=_SUM_BYTES).digest())


def _plain(value: Any) -> Any:
    """A value that is the same text whichever database it comes from."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    # JSONB writes some floats as integers.
    return repr(float(value)) if isinstance(value, int | float) else str(value)
