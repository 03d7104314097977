"""Fills a database by the thousand tasks: rows in bulk, indexes after them, kept counts at last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, update
from sqlalchemy.schema import CreateIndex, DropIndex

from bench.scale import counts
from bench.scale.spread import BLOCK, Spread
from services.api.db import tables
from services.api.db.engine import open_engines
from services.api.domain.lifecycle import Status

if TYPE_CHECKING:
    from sqlalchemy import Connection

_AGE: Final = timedelta(days=100)
_LATER: Final = timedelta(days=30)
_TOGETHER: Final = 100 * BLOCK
"""In one transaction: neither memory nor a log of it grows large."""
# Neither has a limit while it is filled, nor waits for the disk: who is killed begins anew.
_BEFORE: Final = {
    "postgresql": (
        "SET statement_timeout = 0",
        "SET synchronous_commit = off",
        "SET maintenance_work_mem = '512MB'",
        "SET work_mem = '256MB'",
        # Foreign keys are right here, and need not be looked up.
        "SET session_replication_role = replica",
    ),
    "sqlite": (
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA cache_size = -500000",
    ),
}
_AFTER: Final = {
    # Its helpers would want as much shared memory as all of it may have.
    "postgresql": ("VACUUM (PARALLEL 0, ANALYZE)", "CHECKPOINT"),
    "sqlite": ("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"),
}


class Filling:
    """A migrated database that grows, while nobody else writes into it."""

    def __init__(self, url: str) -> None:
        """Begin with an empty one."""
        self.url = url
        self.tasks = 0
        self._now = datetime.now(UTC)

    async def grow(self, count: int) -> None:
        """Add tasks until there are so many of ours; raises ValueError unless it is in thousands.

        What others have written meanwhile stays.
        """
        if count % BLOCK:
            raise ValueError(f"{count} is no whole number of thousands")
        engines = open_engines(self.url)
        try:
            # Its own sessions: what is set here holds for nobody else.
            async with engines.read.connect() as connection:
                await connection.run_sync(self._grow, range(self.tasks, count))
        finally:
            await engines.dispose()
        self.tasks = count

    def _grow(self, connection: Connection, added: range) -> None:
        kind = connection.dialect.name
        for statement in _BEFORE[kind]:
            connection.exec_driver_sql(statement)
        _finish(connection)
        # To sort once and write once is much faster than to keep them in order all the time.
        indexes = [index for table in tables.metadata.sorted_tables for index in table.indexes]
        for index in indexes:
            connection.execute(DropIndex(index))
        for first in range(added.start, added.stop, _TOGETHER):
            some = range(first, min(first + _TOGETHER, added.stop))
            connection.exec_driver_sql("BEGIN")
            spread = Spread(some, added.stop, self._now - _AGE, self._now, self._now + _LATER)
            for table, rows in spread.rows():
                connection.execute(insert(table).from_select([*rows.selected_columns.keys()], rows))
            connection.exec_driver_sql("COMMIT")
        for index in indexes:
            connection.execute(CreateIndex(index))
        connection.exec_driver_sql("BEGIN")
        counts.keep(connection)
        connection.exec_driver_sql("COMMIT")
        for statement in _AFTER[kind]:
            connection.exec_driver_sql(statement)


def _finish(connection: Connection) -> None:
    """Let all that was under way have failed: in a database that is in use the old is final."""
    columns = tables.import_tasks.c
    nothing = (
        "due_at",
        "run_id",
        "lease_until",
        "deadline",
        "blob_key",
        "size_bytes",
        "actual_md5",
    )
    failed = update(tables.import_tasks).where(columns.due_at.is_not(None))
    changed = {"status": str(Status.DOWNLOAD_FAILED), **dict.fromkeys(nothing)}
    connection.execute(failed.values(changed))
