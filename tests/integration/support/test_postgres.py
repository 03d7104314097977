"""The PostgreSQL that the tests run on."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


async def _run(url: str, *statements: str) -> object:
    """Run statements in one transaction; the first value of the last one, if it gives rows."""
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()


def _with_a_shelf(url: str) -> None:
    asyncio.run(_run(url, "CREATE TABLE shelf (book text)"))


async def test_each_database_is_a_fresh_one(postgres_server: PostgresServer) -> None:
    first, second = postgres_server.database(), postgres_server.database()
    await _run(first, "CREATE TABLE mine (id int)")
    assert await _run(second, "SELECT to_regclass('mine')") is None


def test_a_template_is_prepared_once_and_copied(postgres_server: PostgresServer) -> None:
    prepared: list[str] = []

    def prepare(url: str) -> None:
        prepared.append(url)
        _with_a_shelf(url)

    first, second = postgres_server.database(prepare), postgres_server.database(prepare)
    asyncio.run(_run(first, "INSERT INTO shelf VALUES ('one')"))
    assert asyncio.run(_run(second, "SELECT count(*) FROM shelf")) == 0
    assert len(prepared) == 1


async def test_the_server_does_not_run_as_root(postgres_url: str) -> None:
    path = await _run(postgres_url, "SELECT setting FROM pg_settings WHERE name='data_directory'")
    assert os.stat(str(path)).st_uid == (os.geteuid() or os.stat(str(path)).st_uid) != 0  # noqa: PTH116


def test_a_killed_server_comes_back_with_its_data(own_server: PostgresServer) -> None:
    url = own_server.database()
    asyncio.run(_run(url, "CREATE TABLE kept (id int)", "INSERT INTO kept VALUES (7)"))
    own_server.kill()
    own_server.start()
    assert asyncio.run(_run(url, "SELECT id FROM kept")) == 7


def test_a_server_that_cannot_start_says_why(own_server: PostgresServer) -> None:
    own_server.kill()
    own_server.settings["shared_buffers"] = "none"
    with pytest.raises(RuntimeError, match='invalid value for parameter "shared_buffers"'):
        own_server.start()
