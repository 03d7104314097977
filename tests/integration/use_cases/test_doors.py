"""What both doors build on: orders, versions, keys, batches, changes, the audit log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from services.api.domain.errors import (
    EtagMismatch,
    InvalidFields,
    InvalidQuery,
    KeyReused,
    NotFound,
    OperationRefused,
    ScopeMissing,
)
from services.api.domain.queries import Slice, TaskQuery, position
from services.api.domain.task import Target
from services.api.use_cases import watching
from services.api.use_cases.import_tasks import MAX_BATCH, TaskFields
from services.api.use_cases.items import Fields
from services.api.use_cases.options import Options
from tests.support.core import Core, a_principal

if TYPE_CHECKING:
    from services.api.domain.queries import Order
    from services.api.domain.task import Task

WHO = a_principal()
NEW_URL = TaskFields(source_uri="https://cdn.example.com/v2.wav")


async def _fields(core: Core, isrc: str = "USRC12345678") -> TaskFields:
    track = await core.track()
    return TaskFields(
        source_uri="https://cdn.example.com/m.wav", isrc=isrc, target=Target("tracks", track.id)
    )


async def _total(core: Core) -> int:
    return (await core.use_cases.import_tasks.list(WHO, TaskQuery())).total


ORDERS: list[Order] = [
    (),
    (("created_at", True),),
    (("updated_at", False),),
    (("updated_at", True),),
    (("status", False),),
    (("status", True), ("created_at", True)),
    (("status", False), ("updated_at", True)),
]


@pytest.mark.parametrize("order", ORDERS, ids=repr)
async def test_pages_follow_each_other_in_every_order_and_back(
    order: Order, any_core: Core
) -> None:
    tasks = any_core.use_cases.import_tasks
    made = [await any_core.task(f"USRC1{n:07d}") for n in range(7)]
    await any_core.complete(made[3])
    await any_core.store(made[5])
    whole = (await tasks.list(WHO, TaskQuery(order=order))).items
    assert len(whole) == 7
    (name, down), *_ = order or (("created_at", False),)
    values = [getattr(task, name) for task in whole]
    assert values == sorted(values, reverse=down)
    seen: list[Task] = []
    after: Any = None
    while True:
        page = await tasks.list(WHO, TaskQuery(order=order, limit=3, after=after))
        seen += page.items
        if not page.more:
            break
        after = position(page.items[-1], order)
    assert seen == list(whole)
    before = position(whole[5], order)
    page = await tasks.list(WHO, TaskQuery(order=order, limit=3, before=before))
    assert (page.items, page.more) == (whole[2:5], True)


async def test_a_change_of_another_version_is_refused(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    task = await any_core.task()
    newer = await tasks.update(WHO, task.id, NEW_URL, version=task.version)
    for call in (
        tasks.update(WHO, task.id, TaskFields(declared_md5="0" * 32), version=task.version),
        tasks.delete(WHO, task.id, version=task.version),
        tasks.retry(WHO, task.id, version=task.version),
    ):
        with pytest.raises(EtagMismatch):
            await call
    assert await tasks.get(WHO, task.id) == newer
    await tasks.delete(WHO, task.id, version=newer.version)


async def test_a_track_has_versions_too(any_core: Core) -> None:
    tracks = any_core.use_cases.tracks
    track = await any_core.track()
    newer = await tracks.update(WHO, track.id, Fields(title="New"), version=1)
    assert newer.version == 2
    with pytest.raises(EtagMismatch):
        await tracks.delete(WHO, track.id, version=1)


async def test_the_same_request_with_the_same_key_is_done_once(any_core: Core) -> None:
    tasks, fields = any_core.use_cases.import_tasks, await _fields(any_core)
    first = await tasks.create(WHO, fields, options=Options(key="k"))
    await any_core.complete(first)
    assert await tasks.create(WHO, fields, options=Options(key="k")) == first
    assert await _total(any_core) == 1


async def test_requests_that_race_with_one_key_make_one_task(any_core: Core) -> None:
    tasks, fields = any_core.use_cases.import_tasks, await _fields(any_core)
    made = await asyncio.gather(
        *(tasks.create(WHO, fields, options=Options(key="k")) for _ in range(12))
    )
    assert len({task.id for task in made}) == 1
    assert await _total(any_core) == 1


async def test_another_request_with_the_same_key_is_refused(any_core: Core) -> None:
    tasks, fields = any_core.use_cases.import_tasks, await _fields(any_core)
    await tasks.create(WHO, fields, options=Options(key="k"))
    with pytest.raises(KeyReused):
        await tasks.create(WHO, await _fields(any_core, "USRC19999999"), options=Options(key="k"))
    with pytest.raises(KeyReused):
        await any_core.use_cases.tracks.create(WHO, Fields(title="x"), options=Options(key="k"))


async def test_a_refused_request_does_not_use_up_its_key(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    with pytest.raises(InvalidFields):
        await tasks.create(WHO, TaskFields(isrc="x"), options=Options(key="k"))
    await tasks.create(WHO, await _fields(any_core), options=Options(key="k"))


async def test_keys_are_a_tenants_own(any_core: Core) -> None:
    tracks = any_core.use_cases.tracks
    mine = await tracks.create(WHO, Fields(title="x"), options=Options(key="k"))
    other = a_principal("other")
    theirs = await tracks.create(other, Fields(title="x"), options=Options(key="k"))
    assert mine.id != theirs.id


async def test_validate_only_answers_as_usual_and_changes_nothing(any_core: Core) -> None:
    tasks, options = any_core.use_cases.import_tasks, Options(validate_only=True)
    checked = await tasks.create(WHO, await _fields(any_core), options=options)
    with pytest.raises(NotFound):
        await tasks.get(WHO, checked.id)
    task = await any_core.task()
    changed = await tasks.update(WHO, task.id, NEW_URL, options=options)
    assert changed.generation == 2
    assert await tasks.get(WHO, task.id) == task
    with pytest.raises(InvalidFields):
        await tasks.update(WHO, task.id, TaskFields(isrc="x"), options=options)
    assert await _total(any_core) == 1


async def test_a_batch_is_made_whole_or_not_at_all(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    batch = [await _fields(any_core, f"USRC1{n:07d}") for n in range(5)]
    with pytest.raises(OperationRefused) as refused:
        await tasks.batch_create(WHO, [*batch, TaskFields(isrc="x")])
    assert refused.value.index == 5
    assert isinstance(refused.value.refusal, InvalidFields)
    assert await _total(any_core) == 0
    made = await tasks.batch_create(WHO, batch, options=Options(key="b"))
    assert [task.isrc for task in made] == [fields.isrc for fields in batch]
    assert await tasks.batch_create(WHO, batch, options=Options(key="b")) == made
    assert await _total(any_core) == 5
    with pytest.raises(InvalidFields):
        await tasks.batch_create(WHO, [batch[0]] * (MAX_BATCH + 1))


async def test_operations_build_on_each_other_in_one_transaction(any_core: Core) -> None:
    cases = any_core.use_cases

    def a_task(done: Any) -> Any:
        fields = TaskFields(
            source_uri="https://cdn.example.com/m.wav", target=Target("tracks", done[0].id)
        )
        return cases.import_tasks.creating(WHO, fields, required=())

    track, task, gone = await cases.operations.run(
        WHO,
        [
            lambda _: cases.tracks.creating(WHO, Fields(title="New")),
            a_task,
            lambda done: cases.import_tasks.deleting(WHO, done[1].id),
        ],
    )
    assert task.target == Target("tracks", track.id)
    assert gone is None
    assert await _total(any_core) == 0


async def test_changes_are_told_in_order_and_again_from_a_cursor(any_core: Core) -> None:
    changes, tasks = any_core.use_cases.watching.changes, any_core.use_cases.import_tasks
    await any_core.task("USRC10000000")
    stream = changes(WHO, None)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    task = await any_core.task()
    made = await asyncio.wait_for(first, 10)
    assert (made.task_id, made.version, made.deleted) == (task.id, 1, False)
    changed = await tasks.update(WHO, task.id, NEW_URL)
    assert (await asyncio.wait_for(anext(stream), 10)).task == changed
    await tasks.delete(WHO, task.id)
    gone = await asyncio.wait_for(anext(stream), 10)
    assert (gone.task_id, gone.deleted, gone.task) == (task.id, True, None)
    assert gone.version > changed.version
    await stream.aclose()
    again = changes(WHO, made.cursor)
    told = [await asyncio.wait_for(anext(again), 10) for _ in range(2)]
    assert told[-1].deleted
    await again.aclose()


async def test_more_changes_than_are_read_at_once_are_each_told_once(
    any_core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BATCH", 2)
    stream = any_core.use_cases.watching.changes(WHO, None)
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    made = [await any_core.task(f"USRC1{n:07d}") for n in range(5)]
    told = [await asyncio.wait_for(first, 10)]
    told += [await asyncio.wait_for(anext(stream), 10) for _ in range(4)]
    assert [change.task_id for change in told] == [task.id for task in made]
    await stream.aclose()


async def test_another_tenants_changes_are_not_told(any_core: Core) -> None:
    stream = any_core.use_cases.watching.changes(a_principal("other"), None)
    next_change = asyncio.ensure_future(anext(stream))
    await any_core.task()
    other = await any_core.task("USRC12345678", a_principal("other"))
    assert (await asyncio.wait_for(next_change, 10)).task_id == other.id
    await stream.aclose()


@pytest.mark.parametrize(
    "cursor", ["x", "2026-01-01T00:00:00_x", "2026-01-01T00:00:00_" + "0" * 32]
)
async def test_a_cursor_that_is_none_is_refused(cursor: str, any_core: Core) -> None:
    with pytest.raises(InvalidQuery):
        await anext(any_core.use_cases.watching.changes(WHO, cursor))


async def test_the_audit_log_tells_who_did_what_from_where(any_core: Core) -> None:
    somebody = a_principal()
    task = await any_core.task(who=somebody)
    await any_core.use_cases.import_tasks.update(somebody, task.id, NEW_URL)
    with pytest.raises(InvalidFields):
        await any_core.use_cases.import_tasks.update(somebody, task.id, TaskFields(isrc="x"))
    await any_core.use_cases.import_tasks.delete(somebody, task.id)
    page = await any_core.use_cases.audit.list(somebody, Slice())
    assert task.target is not None
    assert [(entry.action, entry.resource) for entry in page.items] == [
        ("tracks.create", f"tracks/{task.target.id}"),
        ("importTasks.create", f"importTasks/{task.id}"),
        ("importTasks.update", f"importTasks/{task.id}"),
        ("importTasks.delete", f"importTasks/{task.id}"),
    ]
    assert page.total == 4
    assert {entry.principal for entry in page.items} == {somebody.token_id}
    assert (await any_core.use_cases.audit.list(a_principal("other"), Slice())).total == 0
    with pytest.raises(ScopeMissing):
        await any_core.use_cases.audit.list(a_principal("default", "tasks:read"), Slice())
