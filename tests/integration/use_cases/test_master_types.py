"""A view of one master type alone: what others have is neither found, counted nor told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from services.api.db.engine import open_engines
from services.api.db.migrations import downgrade, upgrade
from services.api.domain.lifecycle import Status
from services.api.domain.queries import TaskQuery
from services.api.domain.task import DOLBY_ATMOS
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import Core, a_principal

if TYPE_CHECKING:
    from services.api.domain.task import Task

WHO = a_principal()
ATMOS = frozenset({DOLBY_ATMOS})


async def a_cd(core: Core) -> Task:
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav", master_type="cd")
    return await core.use_cases.import_tasks.create(WHO, fields)


async def test_each_type_is_counted_by_itself(any_core: Core) -> None:
    everything = any_core.use_cases.import_tasks
    atmos = replace(everything, only=ATMOS)
    cd = await a_cd(any_core)
    task = await any_core.task()
    await any_core.store(task)
    pending = TaskQuery(statuses=frozenset({Status.PENDING}))
    for view, all_, waiting in ((everything, 2, 1), (atmos, 1, 0)):
        assert (await view.list(WHO, TaskQuery())).total == all_
        assert (await view.list(WHO, pending)).total == waiting
    await everything.delete(WHO, cd.id)
    await everything.delete(WHO, task.id)
    for view in (everything, atmos):
        assert (await view.list(WHO, TaskQuery())).total == 0


async def test_changes_of_other_types_are_not_told(any_core: Core) -> None:
    cases = any_core.use_cases
    atmos = replace(cases.watching, import_tasks=replace(cases.import_tasks, only=ATMOS))
    async with aclosing(atmos.changes(WHO, None)) as changes:
        first = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)  # it looks from its own beginning on
        cd = await a_cd(any_core)
        await cases.import_tasks.delete(WHO, cd.id)
        task = await any_core.task()
        async with asyncio.timeout(10):
            assert (await first).task_id == task.id
        await cases.import_tasks.delete(WHO, (await a_cd(any_core)).id)
        await cases.import_tasks.delete(WHO, task.id)
        async with asyncio.timeout(10):
            gone = await anext(changes)
        assert (gone.task_id, gone.deleted) == (task.id, True)


async def test_tasks_of_before_are_counted_as_atmos(database_url: str) -> None:
    engines = open_engines(database_url)
    try:
        await downgrade(engines, "0004")
        insert = "INSERT INTO totals (tenant, collection, status, n) VALUES ('t', '{}', '{}', {})"
        rows = [("import_tasks", "pending", 3), ("import_tasks", "completed", 2), ("tracks", "", 4)]
        async with engines.write.begin() as connection:
            for row in rows:
                await connection.execute(text(insert.format(*row)))
        await upgrade(engines)
        query = text("SELECT status, n FROM totals WHERE collection = 'tasks.dolby_atmos'")
        async with engines.read.connect() as connection:
            assert {tuple(row) for row in await connection.execute(query)} == {
                ("pending", 3),
                ("completed", 2),
            }
    finally:
        await engines.dispose()
