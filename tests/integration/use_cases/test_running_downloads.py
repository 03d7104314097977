"""How many downloads of one tenant run at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, update
from uuid_utils.compat import uuid7

from services.api.db import clock, storage_rows
from services.api.db.tables import RUNNING_DOWNLOADS, import_tasks
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import Go, Later, Run, Stop
from services.api.domain.silence import Silence
from services.api.domain.storage import Caps
from tests.support.core import Core, a_principal, open_core
from tests.support.storing import claim, isrc, now, store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction


@pytest.fixture(params=[1, 2])
async def capped(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Core]:
    caps = Caps(running_downloads=request.param)
    async with open_core(database_url, caps=caps) as opened:
        yield opened


def cap_of(core: Core) -> int:
    return core.use_cases.runs.tasks.downloads.caps.running_downloads


async def be_due(core: Core) -> None:
    """Let the time pass that rows without a claim wait for."""

    def unit(transaction: Transaction) -> None:
        past = transaction.now() - timedelta(seconds=1)
        waits = update(import_tasks).where(import_tasks.c.run_id.is_(None))
        transaction.connection.execute(waits.values(due_at=past))

    await core.use_cases.executor.write(unit)


async def test_however_many_wait_they_do_not_ask_too_often(sqlite_url: str) -> None:
    async with open_core(sqlite_url, caps=Caps(running_downloads=1)) as core:
        await core.claim((await core.task(isrc(0))).id, Stage.DOWNLOAD)
        late = [await core.task(isrc(n)) for n in range(1, 9)]

        def crowd(transaction: Transaction) -> None:
            transaction.count("default", "import_tasks", Status.PENDING, 1_000_000)

        await core.use_cases.executor.write(crowd)
        for task in late:
            assert await claim(core, task) == Stop("tenant_busy")
        waits = [(await now(core, task)).due_at for task in late]
        last = max(moment for moment in waits if moment is not None)
        assert last - datetime.now(UTC) > timedelta(minutes=30)


async def test_a_tenant_runs_so_many_downloads_and_the_rest_wait_uncharged(capped: Core) -> None:
    tasks = [await capped.task(isrc(n)) for n in range(cap_of(capped) + 1)]
    runs = [await capped.claim(task.id, Stage.DOWNLOAD) for task in tasks[:-1]]
    late = tasks[-1]
    assert await claim(capped, late) == Stop("tenant_busy")
    waiting = await now(capped, late)
    assert replace(waiting, due_at=late.due_at) == late
    assert waiting.due_at is not None
    wait = waiting.due_at - datetime.now(UTC)
    assert timedelta(seconds=4) < wait <= timedelta(seconds=10)
    early = await claim(capped, late)
    assert isinstance(early, Later)
    assert abs(early.delay - wait) < timedelta(seconds=1)
    await be_due(capped)
    other = await capped.task(isrc(0), a_principal("other"))
    assert isinstance(await claim(capped, other), Go)
    assert isinstance(await capped.use_cases.runs.claim(tasks[0].id, runs[0]), Go)
    await store(capped, tasks[0], runs[0], 1)
    assert isinstance(await claim(capped, tasks[0], Stage.VALIDATE), Go)
    go = await claim(capped, late)
    assert isinstance(go, Go)
    assert go.task.attempts == 1


async def test_a_run_that_runs_is_told_so_also_under_a_lower_cap(database_url: str) -> None:
    async with open_core(database_url) as core:
        tasks = [await core.task(isrc(n)) for n in range(2)]
        runs = [await core.claim(task.id, Stage.DOWNLOAD) for task in tasks]
    async with open_core(database_url, caps=Caps(running_downloads=1)) as core:
        for task, run in zip(tasks, runs, strict=True):
            assert isinstance(await core.use_cases.runs.claim(task.id, run), Go)


async def test_what_can_never_run_is_told_so_at_once(capped: Core) -> None:
    for number in range(cap_of(capped)):
        await capped.claim((await capped.task(isrc(number))).id, Stage.DOWNLOAD)
    late = await capped.task(isrc(9))
    stale = await capped.use_cases.runs.claim(late.id, Run(Stage.DOWNLOAD, 2, uuid7()))
    assert stale == Stop("stale")


async def test_the_dead_do_not_count_once_silence_can_be_trusted(database_url: str) -> None:
    async def bury(core: Core) -> None:
        def unit(transaction: Transaction) -> None:
            past = transaction.now() - timedelta(seconds=1)
            transaction.connection.execute(
                update(import_tasks)
                .where(import_tasks.c.run_id.is_not(None))
                .values(lease_until=past)
            )

        await core.use_cases.executor.write(unit)

    async with open_core(database_url, caps=Caps(running_downloads=1)) as core:
        await core.claim((await core.task(isrc(1))).id, Stage.DOWNLOAD)
        await bury(core)
        late = await core.task(isrc(2))
        assert await claim(core, late) == Stop("tenant_busy")
        await be_due(core)
        object.__setattr__(core.use_cases.runs, "silence", Silence.proves_after(timedelta(0)))
        assert isinstance(await claim(core, late), Go)


async def test_claims_at_once_do_not_pass_the_cap(database_url: str) -> None:
    caps = Caps(running_downloads=2)
    async with open_core(database_url, caps=caps) as one, open_core(database_url, caps=caps) as two:
        tasks = [await one.task(isrc(n)) for n in range(8)]
        answers = await asyncio.gather(
            *(claim(core, t) for t, core in zip(tasks, [one, two] * 4, strict=True))
        )
        assert sum(isinstance(answer, Go) for answer in answers) == 2


async def test_counting_running_downloads_goes_by_its_index(core: Core) -> None:
    task = await core.task()
    said: list[tuple[str, Any]] = []
    event.listen(
        core.engines.read.sync_engine,
        "before_cursor_execute",
        lambda _, __, statement, values, *___: said.append((statement, values)),
    )

    def plan(connection: Connection) -> str:
        moment = clock.now(connection)
        assert storage_rows.count_downloads(connection, task, moment, trust_silence=True) == 0
        statement, values = said[-1]
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return " ".join(row.detail for row in rows)

    assert RUNNING_DOWNLOADS in await core.use_cases.executor.read(plan)
