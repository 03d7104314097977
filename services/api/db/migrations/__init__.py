"""The steps from an empty database to the present tables, run by Alembic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from services.api.db import schema
from services.api.db.schema import SCRIPTS
from services.api.domain.errors import Unavailable, WrongTables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from services.api.db.engine import Engines

LOCK_SECONDS = 2
"""How long a step waits for a table: behind one who waits, all others wait as well."""
TRIES = 30
PAUSE_SECONDS = 1.0
_LOCK_NOT_AVAILABLE = "55P03"
"""SQLSTATE of PostgreSQL (its manual, appendix A)."""


async def upgrade(engines: Engines, revision: str = "head", scripts: Path = SCRIPTS) -> None:
    """Bring the database to a revision; does nothing when it is there already.

    Nor when it is at a later one that this version can work with. Raises WrongTables for one that
    it cannot, Unavailable when others keep a table locked or nobody answers.
    """

    def steps(connection: Connection) -> None:
        present = schema.revision(connection)
        if scripts == SCRIPTS and revision == "head" and present == schema.newest():
            return
        if scripts == SCRIPTS and present is not None and not schema.is_known(present):
            problem = schema.judge(connection)
            if problem is not None:
                raise WrongTables(problem)
            return
        from services.api.db.migrations import stepping

        stepping.up(connection, revision, scripts)

    await _migrate(engines, steps)


async def downgrade(engines: Engines, revision: str) -> None:
    """Take the database back to a revision. Raises Unavailable as ``upgrade``."""
    from services.api.db.migrations import stepping

    def steps(connection: Connection) -> None:
        stepping.down(connection, revision, SCRIPTS)

    await _migrate(engines, steps)


async def _migrate(engines: Engines, steps: Callable[[Connection], None]) -> None:
    """Run steps in one transaction, again and again until nobody is in their way."""
    for _ in range(TRIES):
        try:
            async with engines.write.connect() as connection:
                await connection.run_sync(_be_patient)
                await connection.run_sync(steps)
                await connection.commit()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
        except (OSError, TimeoutError) as error:
            raise Unavailable("The database does not answer.") from error
        else:
            return
    raise Unavailable("Others keep the tables locked; try again when there is less to do.")


def _be_patient(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A large table's index takes longer than a request may; but nobody waits long for a lock.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
