"""No statement reads a table whole that grows with the tasks: asked of both planners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from bench.scale import counts
from bench.scale.fill import Filling
from bench.scale.lists import list_cases
from bench.scale.work import KEEP, work_cases
from services.api.db.catalogue_tables import numbers
from services.api.db.engine import is_sqlite, open_engines
from services.api.db.tables import tenant_storage, totals
from services.api.use_cases.targets import Targets
from shared.blobs.local import LocalStore
from tests.support import errands
from tests.support.core import open_core
from tests.support.notifying import LOCAL
from tests.support.plans import complaints, filled, growing, needs_an_index, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.core import Core
    from tests.support.plans import Said

TASKS = 20_000


@pytest.fixture
async def used(database_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    """The use cases over a database that has been in use."""
    await Filling(database_url).grow(TASKS)
    if is_sqlite(database_url):
        await _forget_statistics(database_url)
    store, targets = LocalStore(tmp_path / "blobs"), Targets(LOCAL)
    async with open_core(database_url, keep=KEEP, store=store, targets=targets) as core:
        yield core


async def _forget_statistics(url: str) -> None:
    """SQLite has none unless an operator asks for them; PostgreSQL makes them by itself."""
    engines = open_engines(url)
    async with engines.read.connect() as connection:
        await connection.execute(text("DROP TABLE sqlite_stat1"))
    await engines.dispose()


async def _all_statements(core: Core) -> list[Said]:
    with recorded(core.engines) as said:
        for case in [*await work_cases(core), *await list_cases(core)]:
            await case.run(await case.prepare())
        await errands.run_all(core)
    return said


async def test_no_statement_reads_a_growing_table_whole(used: Core) -> None:
    said = await _all_statements(used)
    assert len(said) > 200

    def judge(connection: Connection) -> list[str]:
        tables = filled(connection)
        return [
            f"{'; '.join(wrong)}\n{each.statement}"
            for each in said
            if (wrong := complaints(connection, each, tables))
        ]

    found = await used.use_cases.executor.read(judge)
    assert not found, "\n\n".join(found)


async def test_every_statement_could_go_by_an_index(used: Core) -> None:
    """Also where there are too few rows here for PostgreSQL to do so."""
    said = await _all_statements(used)

    def judge(connection: Connection) -> list[str]:
        if connection.dialect.name == "sqlite":
            # The uploads of one state are counted whenever somebody asks for them.
            tables = growing() - {"uploads"}
            return [each.statement for each in said if complaints(connection, each, tables)]
        connection.execute(text("SET enable_seqscan = off"))
        found = [each.statement for each in said if needs_an_index(connection, each, growing())]
        connection.execute(text("RESET enable_seqscan"))
        return found

    found = await used.use_cases.executor.read(judge)
    assert not found, "\n\n".join(found)


async def test_one_deep_page_decides_nothing_for_the_pages_after_it(migrated: str) -> None:
    """A plan for all values is as good as one for these, when the first were for deep pages."""
    async with open_core(migrated) as core:
        mode = await core.use_cases.executor.read(lambda c: c.scalar(text("SHOW plan_cache_mode")))
        assert mode == "force_custom_plan"


async def test_what_was_filled_is_counted_as_the_application_counts(used: Core) -> None:
    for case in await work_cases(used):
        await case.run(await case.prepare())
    executor = used.use_cases.executor

    def kept(connection: Connection) -> dict[str, set[tuple[object, ...]]]:
        tables = (totals, tenant_storage, numbers)
        return {
            table.name: {tuple(row) for row in connection.execute(select(table)) if row[-1]}
            for table in tables
        }

    before = await executor.read(kept)
    await executor.write(lambda transaction: counts.keep(transaction.connection))
    assert await executor.read(kept) == before
