"""Tables of a later version: what they are to this one, and how it gets there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from services.api.db import migrations, schema
from services.api.db.engine import open_engines
from services.api.db.migrations import downgrade, upgrade
from services.api.db.schema import check_tables
from services.api.domain.errors import Unavailable, WrongTables
from tests.support.core import Core, migrate
from tests.support.revisions import CONTRACTS, EXPANDS, future_scripts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer


async def test_tables_that_were_expanded_serve_this_version(any_core: Core, tmp_path: Path) -> None:
    await upgrade(any_core.engines, scripts=future_scripts(tmp_path, EXPANDS))
    await check_tables(any_core.engines)
    assert await any_core.use_cases.ready()
    await upgrade(any_core.engines)  # what starts an older version again does nothing
    done = await any_core.complete(await any_core.task())
    assert done.record_id is not None
    async with any_core.engines.read.connect() as connection:
        assert await connection.run_sync(schema.revision) == "f001"


@pytest.mark.parametrize("steps", [(CONTRACTS,), (CONTRACTS, EXPANDS)])
async def test_tables_that_were_contracted_do_not(
    any_core: Core, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    await upgrade(any_core.engines, scripts=future_scripts(tmp_path, *steps))
    with pytest.raises(WrongTables, match=r"at revision f00\d, this version needs 0\d+\. A newer"):
        await check_tables(any_core.engines)
    assert not await any_core.use_cases.ready()
    with pytest.raises(WrongTables):
        await upgrade(any_core.engines)


async def test_going_back_is_written_down_too(any_core: Core) -> None:
    async def noted() -> list[str]:
        async with any_core.engines.read.connect() as connection:
            rows = await connection.execute(text("SELECT oldest_revision FROM compatibility"))
            return [row[0] for row in rows]

    assert await noted() == ["0001"]
    await downgrade(any_core.engines, "0008")
    assert not await any_core.use_cases.ready()
    await upgrade(any_core.engines)
    assert await noted() == ["0001"]


async def test_a_migration_queues_nobody_up_behind_it(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0.2)
    engines = open_engines(postgres_server.database(migrate))
    scripts = future_scripts(tmp_path, EXPANDS)
    try:
        async with engines.read.connect() as holder:
            # Somebody reads the table in a transaction that lasts.
            await holder.execute(text("BEGIN"))
            await holder.execute(text("LOCK TABLE import_tasks IN ACCESS SHARE MODE"))
            upgrading = asyncio.create_task(upgrade(engines, scripts=scripts))
            async with asyncio.timeout(10), engines.read.connect() as other:
                for _ in range(8):
                    await other.execute(text("SELECT count(*) FROM import_tasks"))
                    await asyncio.sleep(0.2)
            assert not upgrading.done()
            await holder.execute(text("COMMIT"))
        async with asyncio.timeout(30):
            await upgrading
        async with engines.read.connect() as connection:
            assert await connection.run_sync(schema.revision) == "f001"
    finally:
        await engines.dispose()


async def test_it_gives_up_in_the_end(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrations, "TRIES", 1)
    monkeypatch.setattr(migrations, "PAUSE_SECONDS", 0)
    engines = open_engines(postgres_server.database(migrate))
    try:
        async with engines.read.connect() as holder:
            await holder.execute(text("BEGIN"))
            await holder.execute(text("LOCK TABLE import_tasks IN ACCESS SHARE MODE"))
            with pytest.raises(Unavailable, match="keep the tables locked"):
                await upgrade(engines, scripts=future_scripts(tmp_path, EXPANDS))
            await holder.execute(text("COMMIT"))
        await check_tables(engines)
    finally:
        await engines.dispose()
