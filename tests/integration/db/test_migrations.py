"""The migrations make the tables that the code declares, and can be undone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Uuid, bindparam, event, inspect, select, text
from uuid_utils.compat import uuid7

from services.api.db import schema
from services.api.db.engine import open_engines
from services.api.db.migrations import downgrade, upgrade
from services.api.db.tables import metadata, tenant_storage
from services.api.domain.errors import Unavailable
from services.api.domain.queries import ItemQuery
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import a_principal, open_core

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core
    from tests.support.postgres import PostgresServer


def _differences(connection: Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection), metadata)


async def test_migrated_database_equals_the_declared_tables(any_core: Core) -> None:
    async with any_core.engines.read.connect() as connection:
        assert await connection.run_sync(_differences) == []


def test_revisions_are_those_that_their_files_are_called_by() -> None:
    steps = list(ScriptDirectory(str(schema.SCRIPTS)).walk_revisions())
    files = sorted((schema.SCRIPTS / "versions").glob("0*.py"), reverse=True)
    assert [step.revision for step in steps] == [file.name.partition("_")[0] for file in files]
    assert all(map(schema.is_known, (step.revision for step in steps)))


async def test_going_back_leaves_nothing_and_forward_again_works(database_url: str) -> None:
    engines = open_engines(database_url)
    try:
        await downgrade(engines, "base")
        async with engines.read.connect() as connection:
            names = await connection.run_sync(lambda c: inspect(c).get_table_names())
        assert set(names) <= {"alembic_version"}
        await upgrade(engines)
        async with engines.read.connect() as connection:
            assert await connection.run_sync(_differences) == []
    finally:
        await engines.dispose()


async def test_a_database_that_is_not_there_is_said_to_be_away() -> None:
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engines = open_engines(f"postgresql+asyncpg://nobody@127.0.0.1:{port}/none")
        with pytest.raises(Unavailable, match="does not answer"):
            await upgrade(engines)


async def test_a_migration_may_take_longer_than_a_request(postgres_server: PostgresServer) -> None:
    engines = open_engines(postgres_server.database(lambda _: None))
    said: list[str] = []
    event.listen(
        engines.write.sync_engine,
        "before_cursor_execute",
        lambda _, __, statement, *___: said.append(statement),
    )
    try:
        await upgrade(engines)
    finally:
        await engines.dispose()
    tables = next(n for n, statement in enumerate(said) if "CREATE TABLE tracks" in statement)
    assert "SET LOCAL statement_timeout = 0" in said[:tables]


async def test_bytes_that_were_stored_before_are_counted(any_core: Core) -> None:
    other = a_principal("other")
    await any_core.complete(await any_core.task())
    await any_core.store(await any_core.task("USRC12345670"))
    await any_core.store(await any_core.task("USRC12345671", other))
    await any_core.task("USRC12345672", a_principal("nothing"))
    again = await any_core.complete(await any_core.task("USRC12345673", other))
    await any_core.use_cases.import_tasks.update(other, again.id, TaskFields(isrc="USRC12345674"))

    def query(connection: Connection) -> dict[str, int]:
        rows = connection.execute(select(tenant_storage)).all()
        return {row.tenant: row.stored_bytes for row in rows if row.stored_bytes}

    counted = await any_core.use_cases.executor.read(query)
    assert counted == {"default": 2000, "other": 2000}
    await downgrade(any_core.engines, "0006")
    await upgrade(any_core.engines)
    assert await any_core.use_cases.executor.read(query) == counted


async def test_what_was_there_before_is_numbered_by_age(any_core: Core, database_url: str) -> None:
    other = a_principal("other")
    tasks = [await any_core.task(f"USRC1234567{n}", who) for n, who in enumerate((None, other) * 3)]
    await downgrade(any_core.engines, "0009")
    await upgrade(any_core.engines)

    def query(connection: Connection) -> list[Any]:
        return [
            connection.scalars(text(f"SELECT number FROM {table} ORDER BY tenant, id")).all()  # noqa: S608 - ours
            for table in ("tracks", "import_tasks")
        ]

    by_tenant = [1, 2, 3, 1, 2, 3]
    assert await any_core.use_cases.executor.read(query) == [by_tenant, by_tenant]
    again = await any_core.use_cases.import_tasks.get(a_principal(), tasks[2].id)
    assert again.number == 2
    # A replica that starts now goes on after them.
    async with open_core(database_url) as fresh:
        assert [(await fresh.task(f"USRC1234568{n}")).number for n in range(2)] == [4, 5]


async def test_an_older_version_goes_on_beside_it(any_core: Core) -> None:
    track = await any_core.track()

    def older(transaction: Transaction) -> None:
        transaction.connection.execute(
            text(
                "INSERT INTO tracks (id, tenant, title, version, created_at, updated_at)"
                " SELECT :id, tenant, title, version, created_at, updated_at FROM tracks"
            ).bindparams(bindparam("id", uuid7(), Uuid)),
        )

    await any_core.use_cases.executor.write(older)
    page = await any_core.use_cases.tracks.list(a_principal(), ItemQuery())
    assert [each.number for each in page.items] == [track.number, None]
