"""The life of a task on a real database, from create to record."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from services.api.db.tables import outbox, totals
from services.api.domain.errors import (
    NotFound,
)
from services.api.domain.lifecycle import Status
from services.api.domain.queries import RecordQuery, TaskQuery
from tests.support.core import MD5, a_principal

if TYPE_CHECKING:
    from tests.integration.use_cases.conftest import Doomed
    from tests.support.core import Core

WHO = a_principal()


async def test_a_task_becomes_a_record(any_core: Core, doomed: Doomed) -> None:
    task = await any_core.task()
    assert (task.status, task.generation, task.version) == (Status.PENDING, 1, 1)
    done = await any_core.complete(task)
    assert done.status is Status.COMPLETED
    assert done.due_at is None
    assert done.record_id is not None
    record = await any_core.use_cases.records.get(WHO, done.record_id)
    assert (record.isrc, record.task_id, record.target) == (task.isrc, task.id, task.target)
    assert (record.master.md5, record.master.size_bytes) == (MD5, 1000)
    assert await doomed() == set()


async def test_every_change_leaves_its_event_and_the_totals_are_right(any_core: Core) -> None:
    done = await any_core.complete(await any_core.task())
    events = await any_core.use_cases.outbox.take(100)
    assert [event.subject.rsplit(".", 1)[1] for event in events] == [
        "pending", "downloading", "downloaded", "validating", "completed",
    ]  # fmt: skip
    assert len({event.id for event in events}) == 5
    kept = await any_core.use_cases.executor.read(
        lambda c: {(r.collection, r.status): r.n for r in c.execute(select(totals)) if r.n}
    )
    assert kept.pop(("audit_log", "")) == 2
    assert kept == {
        ("import_tasks", "completed"): 1,
        ("tasks.dolby_atmos", "completed"): 1,
        ("records", "valid"): 1,
        ("tracks", ""): 1,
    }
    await any_core.use_cases.import_tasks.delete(WHO, done.id)
    kept = await any_core.use_cases.executor.read(
        lambda c: {(r.collection, r.status): r.n for r in c.execute(select(totals)) if r.n}
    )
    assert kept.pop(("audit_log", "")) == 3
    assert kept == {("tracks", ""): 1}


async def test_taken_events_come_back_only_when_they_were_not_sent(any_core: Core) -> None:
    await any_core.task()
    events = await any_core.use_cases.outbox.take(100)
    assert len(events) == 1
    assert await any_core.use_cases.outbox.take(100) == ()
    await any_core.use_cases.outbox.sent([events[0].id])
    rows = await any_core.use_cases.executor.read(lambda c: c.execute(select(outbox)).all())
    assert rows == []


async def test_one_isrc_may_be_taken_by_another_tenant(any_core: Core) -> None:
    await any_core.complete(await any_core.task())
    other = await any_core.complete(await any_core.task(who=a_principal("other")))
    assert other.status is Status.COMPLETED


async def test_of_racing_tasks_with_one_isrc_one_gets_the_record(
    any_core: Core, doomed: Doomed
) -> None:
    tasks = [await any_core.task() for _ in range(8)]
    for task in tasks:
        await any_core.store(task)
    ended = await asyncio.gather(*(any_core.accept(task) for task in tasks))
    assert sorted(task.status for task in ended) == ["completed"] + ["validation_failed"] * 7
    losers = [task for task in ended if task.status is Status.VALIDATION_FAILED]
    assert {p["code"] for task in losers for p in task.problems} == {"isrc_taken"}
    page = await any_core.use_cases.records.list(WHO, RecordQuery())
    assert page.total == len(page.items) == 1
    assert await doomed() == {t.master.blob_key for t in losers if t.master}


async def test_lists_filter_page_and_count_exactly(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    made = [await any_core.task(f"USRC1{n:07d}") for n in range(7)]
    await any_core.complete(made[3])
    page = await tasks.list(WHO, TaskQuery(skip=2, limit=3))
    assert ([task.id for task in page.items], page.total) == ([t.id for t in made[2:5]], 7)
    page = await tasks.list(WHO, TaskQuery(after=(made[4].id,)))
    assert [task.id for task in page.items] == [t.id for t in made[5:]]
    page = await tasks.list(WHO, TaskQuery(statuses=frozenset({Status.COMPLETED})))
    assert ([task.id for task in page.items], page.total) == ([made[3].id], 1)
    target = made[1].target
    assert target is not None
    page = await tasks.list(WHO, TaskQuery(target_ids=frozenset({target.id})))
    assert ([task.id for task in page.items], page.total) == ([made[1].id], 1)
    page = await tasks.list(
        WHO,
        TaskQuery(ids=frozenset({made[0].id, made[3].id}), statuses=frozenset({Status.PENDING})),
    )
    assert ([task.id for task in page.items], page.total) == ([made[0].id], 1)


async def test_watch_shows_each_state_it_sees_and_ends_with_the_task(any_core: Core) -> None:
    task = await any_core.task()
    seen: list[Status] = []
    started = asyncio.Event()

    async def watch() -> None:
        async for state in any_core.use_cases.watching.watch(WHO, task.id):
            seen.append(state.status)
            started.set()

    watching = asyncio.create_task(watch())
    await started.wait()
    await any_core.complete(task)
    await asyncio.wait_for(watching, 5)
    assert seen[0] is Status.PENDING
    assert seen[-1] is Status.COMPLETED


async def test_watch_ends_with_not_found_when_the_task_is_deleted(any_core: Core) -> None:
    task = await any_core.task()
    watch = any_core.use_cases.watching.watch(WHO, task.id)
    assert (await anext(watch)).id == task.id
    await any_core.use_cases.import_tasks.delete(WHO, task.id)
    with pytest.raises(NotFound):
        await anext(watch)
