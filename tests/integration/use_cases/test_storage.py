"""What tenants may store: kept counts and quotas."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from services.api.db import storage_rows
from services.api.domain.errors import InvalidFields, Refusal
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.outcomes import Accepted, Go, Refused, Run, Stop, error
from services.api.domain.queries import Slice, TaskQuery
from services.api.domain.storage import Caps, Storage
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.quotas import Quotas
from services.api.use_cases.settings import SettingsFields
from tests.support.core import FORMAT, MD5, Core, a_principal, open_core
from tests.support.storing import claim, isrc, now, store

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.domain.task import Task
    from tests.integration.use_cases.conftest import Doomed

WHO = a_principal()
WRONG = error("x", "y")
RECOUNT = text(
    "SELECT coalesce(sum(size_bytes), 0) FROM ("
    "SELECT size_bytes FROM records WHERE tenant = :t AND superseded_at IS NULL UNION ALL "
    "SELECT size_bytes FROM renditions WHERE tenant = :t UNION ALL "
    "SELECT size_bytes FROM import_tasks "
    "WHERE tenant = :t AND status IN ('downloaded', 'validating')) AS kept"
)


async def stored(core: Core, tenant: str = "default") -> int:
    """The kept count, which must be what a recount gives."""

    def query(connection: Connection) -> tuple[int, int]:
        counted = connection.execute(RECOUNT, {"t": tenant}).scalar_one()
        return storage_rows.find(connection, tenant, Caps()).stored, int(counted)

    kept, counted = await core.use_cases.executor.read(query)
    assert kept == counted
    return kept


async def quota(core: Core, bytes_: int | None, tenant: str = "default") -> None:
    await Quotas(core.use_cases.executor).set(tenant, bytes_)


async def fetch(core: Core, task: Task, size: int = 1000) -> Task:
    """Take a task through its download."""
    run = await core.claim(task.id, Stage.DOWNLOAD, task.generation)
    assert await store(core, task, run, size)
    return await now(core, task)


# What counts


async def test_bytes_count_from_their_proof_to_the_end_of_their_record(any_core: Core) -> None:
    task = await any_core.task()
    assert await stored(any_core) == 0
    await fetch(any_core, task)
    assert await stored(any_core) == 1000
    done = await any_core.accept(task)
    assert await stored(any_core) == 1000
    await any_core.use_cases.import_tasks.update(WHO, done.id, TaskFields(isrc=isrc(9)))
    assert await stored(any_core) == 1000
    await any_core.use_cases.import_tasks.delete(WHO, done.id)
    assert await stored(any_core) == 0


async def test_refused_bytes_do_not_count(any_core: Core) -> None:
    task = await any_core.task()
    await fetch(any_core, task)
    run = await any_core.claim(task.id, Stage.VALIDATE)
    await any_core.use_cases.runs.report(task.id, run, Refused(problems=(WRONG,)))
    assert await stored(any_core) == 0


async def test_a_successor_counts_beside_the_record_until_it_takes_its_place(
    any_core: Core,
) -> None:
    done = await any_core.complete(await any_core.task())
    change = TaskFields(source_uri="https://cdn.example.com/v2.wav")
    again = await any_core.use_cases.import_tasks.update(WHO, done.id, change)
    await fetch(any_core, again, 1000)
    assert await stored(any_core) == 2000
    await any_core.accept(again)
    assert await stored(any_core) == 1000


async def test_tenants_count_each_for_themselves(any_core: Core) -> None:
    await any_core.complete(await any_core.task())
    await fetch(any_core, await any_core.task(who=a_principal("other")), 7)
    assert (await stored(any_core), await stored(any_core, "other")) == (1000, 7)


@pytest.mark.long
async def test_the_kept_count_is_what_a_recount_gives_whatever_happens(any_core: Core) -> None:
    """Two hundred steps of any kind, several at once, on some tasks of two tenants."""
    random = Random(5)
    life = _Life(any_core, random)
    for _ in range(50):
        await asyncio.gather(*(life.step() for _ in range(4)))
        if random.random() < 0.2:
            await stored(any_core), await stored(any_core, "other")
    assert {await stored(any_core), await stored(any_core, "other")} != {0}


class _Life:
    """Does one thing after another to some tasks, as workers and clients might."""

    def __init__(self, core: Core, random: Random) -> None:
        self.core, self.random = core, random

    async def step(self) -> None:
        who = a_principal(self.random.choice(["default", "other"]))
        tasks = self.core.use_cases.import_tasks
        page = (await tasks.list(who, TaskQuery())).items
        luck = self.random.random()
        with suppress(Refusal):  # somebody else was faster, or the ISRC is taken
            if len(page) < 4:
                await self.core.task(isrc(self.random.randrange(5)), who)
                return
            task = self.random.choice(page)
            if luck < 0.1:
                await tasks.delete(who, task.id)
            elif luck < 0.2:
                url = f"https://cdn.example.com/{self.random.random()}"
                await tasks.update(who, task.id, TaskFields(source_uri=url))
            elif luck < 0.3:
                await tasks.update(who, task.id, TaskFields(isrc=isrc(self.random.randrange(5))))
            elif task.stage is not None:
                await self.work(task, task.stage)

    async def work(self, task: Task, stage: Stage) -> None:
        runs = self.core.use_cases.runs
        run = Run(stage, task.generation, uuid7())
        if not isinstance(await runs.claim(task.id, run), Go):
            return
        if self.random.random() < 0.2:
            await runs.report(task.id, run, Refused(problems=(WRONG,)))
        elif stage is Stage.DOWNLOAD:
            await store(self.core, task, run, self.random.randrange(1, 1000))
        else:
            size = task.master.size_bytes if task.master else 0
            accepted = Accepted(md5=MD5, size_bytes=size, format=FORMAT)
            await runs.report(task.id, run, accepted)


# Quotas


async def test_a_download_is_told_how_much_room_there_is(any_core: Core) -> None:
    for given, told in ((None, 0), (0, 0), (1500, 1500)):
        await quota(any_core, given)
        go = await claim(any_core, await any_core.task())
        assert isinstance(go, Go)
        assert go.max_bytes == told
    await fetch(any_core, await any_core.task())
    go = await claim(any_core, await any_core.task())
    assert isinstance(go, Go)
    assert go.max_bytes == 500


@pytest.mark.parametrize("allowed", [1000, 999])
async def test_without_room_nothing_is_fetched(any_core: Core, allowed: int) -> None:
    await any_core.complete(await any_core.task())
    await quota(any_core, allowed)
    task = await any_core.task(isrc(2))
    assert await claim(any_core, task) == Stop("quota_exceeded")
    failed = await now(any_core, task)
    assert (failed.status, failed.claim) == (Status.DOWNLOAD_FAILED, None)
    # By way of downloading, as in every task's life.
    assert failed.version == task.version + 2
    (problem,) = failed.problems
    assert (problem["code"], problem["measured"], problem["allowed"]) == (
        "quota_exceeded",
        "1000",
        str(allowed),
    )
    assert await stored(any_core) == 1000


async def test_with_room_again_a_retry_works(any_core: Core) -> None:
    first = await any_core.complete(await any_core.task())
    await quota(any_core, 1000)
    task = await any_core.task(isrc(2))
    await claim(any_core, task)
    await any_core.use_cases.import_tasks.delete(WHO, first.id)
    again = await any_core.use_cases.import_tasks.retry(WHO, task.id)
    assert (await any_core.complete(again)).status is Status.COMPLETED


async def test_a_validation_needs_no_room(any_core: Core) -> None:
    task = await any_core.task()
    await fetch(any_core, task)
    await quota(any_core, 1)
    assert (await any_core.accept(task)).status is Status.COMPLETED


@pytest.mark.parametrize(("size", "status"), [(1000, Status.DOWNLOADED), (1001, "download_failed")])
async def test_bytes_up_to_the_quota_are_kept(
    any_core: Core, doomed: Doomed, size: int, status: str
) -> None:
    await quota(any_core, 1000)
    task = await any_core.task()
    run = await any_core.claim(task.id, Stage.DOWNLOAD)
    assert await store(any_core, task, run, size)
    seen = await now(any_core, task)
    assert seen.status == status
    assert await stored(any_core) == (size if size == 1000 else 0)
    assert len(await doomed()) == (size != 1000)
    if size != 1000:
        assert seen.master is None
        assert [(p["code"], p["measured"], p["allowed"]) for p in seen.problems] == [
            ("quota_exceeded", "1001", "1000")
        ]


async def test_of_downloads_at_once_those_are_kept_that_have_room(
    any_core: Core, doomed: Doomed
) -> None:
    """They share transactions, and on PostgreSQL there are two of these at once."""
    await quota(any_core, 3500)
    tasks = [await any_core.task(isrc(n)) for n in range(8)]
    runs = [await any_core.claim(task.id, Stage.DOWNLOAD) for task in tasks]
    pairs = zip(tasks, runs, strict=True)
    assert all(await asyncio.gather(*(store(any_core, t, run, 1000) for t, run in pairs)))
    statuses = [(await now(any_core, task)).status for task in tasks]
    assert statuses.count(Status.DOWNLOADED) == 3
    assert statuses.count(Status.DOWNLOAD_FAILED) == 5
    assert await stored(any_core) == 3000
    assert len(await doomed()) == 5


async def test_two_processes_do_not_let_through_what_one_would_not(database_url: str) -> None:
    async with open_core(database_url) as one, open_core(database_url) as other:
        await quota(one, 1000)
        for number in range(5):
            tasks = [await one.task(isrc(2 * number + n)) for n in range(2)]
            runs = [await one.claim(task.id, Stage.DOWNLOAD) for task in tasks]
            await asyncio.gather(
                store(one, tasks[0], runs[0], 1000), store(other, tasks[1], runs[1], 1000)
            )
            assert await stored(one) == 1000
            for task in tasks:
                await one.use_cases.import_tasks.delete(WHO, task.id)


async def test_a_tenant_s_own_quota_counts_before_that_of_all(sqlite_url: str) -> None:
    async with open_core(sqlite_url, caps=Caps(stored_bytes=10)) as core:
        who = a_principal("default", "admin")

        async def shown() -> Storage:
            return (await core.use_cases.settings.get(who)).storage

        assert await shown() == Storage(quota=10)
        for given, told in ((0, 0), (5, 5), (None, 10)):
            await quota(core, given)
            assert await shown() == Storage(quota=told)
        other = await core.use_cases.settings.get(a_principal("other", "admin"))
        assert other.storage.quota == 10
        await fetch(core, await core.task(), 3)
        changed = await core.use_cases.settings.update(
            who, SettingsFields(delivery_profile="atmos")
        )
        assert changed.storage == Storage(stored=3, quota=10)
        entries = (await core.use_cases.audit.list(who, Slice())).items
        assert [each.action for each in entries].count("settings.setQuota") == 3


async def test_a_quota_is_a_tenant_s(core: Core) -> None:
    with pytest.raises(InvalidFields):
        await quota(core, 1, "No Tenant")
