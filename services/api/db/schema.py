"""Whether the tables are those that this version works with.

A migration either expands the tables, so that the programs of before it go on working with them,
or it contracts them and says so (``contracts = True``). The database itself names the oldest
revision whose programs can work with it, because a program knows no revision after its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from services.api.db.tables import compatibility
from services.api.domain.errors import Unavailable, WrongTables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.db.engine import Engines

SCRIPTS = Path(__file__).parent / "migrations"
UPGRADE = "Run `stagedoor db upgrade`."
_version = table("alembic_version", column("version_num"))


async def check_tables(engines: Engines) -> None:
    """Raise Unavailable unless the database answers; WrongTables for tables that do not fit."""
    try:
        async with engines.read.connect() as connection:
            problem = await connection.run_sync(judge)
    except (DBAPIError, OSError, TimeoutError) as error:
        raise Unavailable("The database does not answer.") from error
    if problem is not None:
        raise WrongTables(problem)


def judge(connection: Connection) -> str | None:
    """Why this version cannot work with the tables; None if it can."""
    present, ours = revision(connection), newest()
    if present is None:
        return f"The database has no tables yet. {UPGRADE}"
    if present == ours:
        return None
    tables = f"The tables are at revision {present}, this version needs {ours}."
    if is_known(present):
        return f"{tables} {UPGRADE}"
    if accepts_newer(connection):
        return None
    return f"{tables} A newer version changed them so that this one cannot work with them."


def revision(connection: Connection) -> str | None:
    """The revision that the tables are at; None if there are none."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalars(select(_version.c.version_num)).one_or_none()


def newest() -> str:
    """The revision that this version works with."""
    return _revisions()[0]


def is_known(name: str) -> bool:
    """Whether this version has the migration."""
    return name in _revisions()


def accepts_newer(connection: Connection) -> bool:
    """Whether tables of a revision that is unknown to this version still serve it."""
    if not inspect(connection).has_table(compatibility.name):
        return False
    oldest = connection.scalars(select(compatibility.c.oldest_revision)).one_or_none()
    return oldest is not None and is_known(oldest)


@cache
def _revisions() -> tuple[str, ...]:
    """Those that this version knows, newest first: their files' names begin with them.

    Alembic would say the same; but it takes a tenth of a service's start, to be asked just this.
    """
    names = (path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py"))
    return tuple(sorted(names, reverse=True))
