"""Opening the database: SQLite by default, PostgreSQL by URL, the same rules on both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import aiosqlite
import msgspec
from sqlalchemy import NullPool, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection

BUSY_SECONDS = 10
CONNECT_SECONDS = 10
READERS = 8
ANSWER_SECONDS = 20.0
"""For a service: longer than any statement may take, so that it means a server that is gone."""
_POSTGRES_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "30s",
}


# Several times as fast as the standard library's, and each row of a task has some JSON.
_JSON: dict[str, Any] = {"json_deserializer": msgspec.json.decode}


@dataclass(frozen=True, slots=True)
class Engines:
    """One engine to write with and one to read with.

    ``write_concurrency`` is how many transactions may be in flight: SQLite has one writer.
    ``listen`` is for the connection that hears of other replicas' commits, None on SQLite, and
    ``replica`` is what they know this one by.
    """

    write: AsyncEngine
    read: AsyncEngine
    write_concurrency: int
    listen: AsyncEngine | None = None
    replica: str = field(default_factory=lambda: token_hex(8))

    async def dispose(self) -> None:
        """Close every connection."""
        await self.write.dispose()
        await self.read.dispose()
        if self.listen is not None:
            await self.listen.dispose()


def is_sqlite(url: str) -> bool:
    """Whether a URL names a SQLite database."""
    return make_url(url).get_backend_name() == "sqlite"


def open_engines(url: str, answer_seconds: float | None = None) -> Engines:
    """Engines for sqlite+aiosqlite:///… or postgresql+asyncpg://…; nothing is connected yet.

    ``answer_seconds`` is how long PostgreSQL may be silent before its connection is given up.
    """
    if is_sqlite(url):
        return _open_sqlite(url)
    return _open_postgres(url, answer_seconds)


def _open_sqlite(url: str) -> Engines:
    arguments: dict[str, Any] = {
        **_JSON,
        "connect_args": {"timeout": BUSY_SECONDS, "async_creator_fn": _connect_sqlite},
        "pool_reset_on_return": None,
    }
    write = create_async_engine(url, pool_size=1, max_overflow=0, **arguments)
    read = create_async_engine(
        url, pool_size=READERS, max_overflow=0, isolation_level="AUTOCOMMIT", **arguments
    )
    for engine in (write, read):
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    # IMMEDIATE takes the write lock at once: a read that becomes a write later would lose updates.
    event.listen(write.sync_engine, "begin", _begin_immediate)
    return Engines(write, read, write_concurrency=1)


async def _connect_sqlite(*where: Any, **options: Any) -> aiosqlite.Connection:
    """Connect, or leave nothing behind: a thread that ends late speaks to a loop that is over."""
    connection = aiosqlite.connect(*where, **options)
    thread = connection._thread  # noqa: SLF001 - SQLAlchemy reaches for it as well
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise


def _open_postgres(url: str, answer_seconds: float | None) -> Engines:
    pooled: dict[str, Any] = {
        **_JSON,
        "connect_args": _postgres_arguments("stagedoor") | {"command_timeout": answer_seconds},
        "max_overflow": 0,
    }
    write = create_async_engine(url, pool_size=2, pool_pre_ping=True, **pooled)
    # Nothing is ever left open that a rollback would end; and who reads may ask again.
    read = create_async_engine(
        url,
        pool_size=READERS,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        **pooled,
    )
    event.listen(read.sync_engine, "connect", _plan_each_time)
    listen = create_async_engine(
        url,
        poolclass=NullPool,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
        connect_args=_postgres_arguments("stagedoor-listener"),
    )
    return Engines(write, read, write_concurrency=2, listen=listen)


def _postgres_arguments(application_name: str) -> dict[str, Any]:
    return {
        "server_settings": _POSTGRES_SETTINGS | {"application_name": application_name},
        "timeout": CONNECT_SECONDS,
    }


def _plan_each_time(connection: Any, _record: object) -> None:
    """A plan that is to serve all values reads whole tables for some: pages, and rare statuses.

    One deep page among the first few, and PostgreSQL would keep to such a plan on this connection.
    """
    cursor = connection.cursor()
    cursor.execute("SET plan_cache_mode = force_custom_plan")
    cursor.close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = (
        None  # transactions begin where we say so, not where the driver does
    )
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
