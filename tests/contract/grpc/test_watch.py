"""WatchImportTask: what it sends and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode, aio
from uuid_utils.compat import uuid7

from services.api import signals
from services.api.domain.lifecycle import Stage
from stagedoor.v1.import_task_service_pb2 import ImportTask, WatchImportTaskRequest
from tests.support.core import a_principal
from tests.support.door import Refused, eventually, read_error

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.core import Core
    from tests.support.door import Door

Watch = aio.UnaryStreamCall[WatchImportTaskRequest, ImportTask]


def watch(door: Door, id_: UUID, timeout: float | None = None) -> Watch:
    request = WatchImportTaskRequest(name=f"importTasks/{id_}")
    return door.tasks.WatchImportTask(request, metadata=door.admin, timeout=timeout)


async def next_of(call: Watch) -> ImportTask:
    answer = await asyncio.wait_for(call.read(), 5)
    assert isinstance(answer, ImportTask)
    return answer


async def rest_of(call: Watch) -> list[ImportTask]:
    """What comes until the stream ends."""
    seen = []
    async with asyncio.timeout(5):
        while isinstance(answer := await call.read(), ImportTask):
            seen.append(answer)
    return seen


async def end_of(call: Watch) -> Refused:
    with pytest.raises(aio.AioRpcError) as caught:
        await rest_of(call)
    return read_error(caught.value)


async def watchers(core: Core, id_: UUID, number: int) -> None:
    """Wait until so many watch the task."""
    topic = signals.task_topic(id_)
    subscribers = core.signals._subscribers  # noqa: SLF001 - that nothing is left is not public
    await eventually(lambda: len(subscribers.get(topic, ())) == number)


async def test_it_follows_a_task_to_its_end(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door, task.id)
    states = [(await next_of(call)).state]
    await core.store(task)
    states.append((await next_of(call)).state)
    await core.accept(task)
    seen = await rest_of(call)
    assert states[0] == ImportTask.STATE_PENDING
    assert seen[-1].state == ImportTask.STATE_COMPLETED
    assert seen[-1].record
    assert await call.code() is StatusCode.OK


async def test_versions_ascend(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door, task.id)
    seen = [await next_of(call)]
    await core.complete(task)
    seen += await rest_of(call)
    versions = [message.version for message in seen]
    assert versions == sorted(versions)


async def test_a_final_task_is_sent_once(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    seen = await rest_of(watch(door, task.id))
    assert [message.state for message in seen] == [ImportTask.STATE_COMPLETED]


async def test_progress_is_sent(door: Door, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    call = watch(door, task.id)
    assert (await next_of(call)).progress.done_bytes == 0
    await core.use_cases.runs.progress(task.id, run, 7, 10)
    assert (await next_of(call)).progress.done_bytes == 7
    call.cancel()


async def test_a_deleted_task_ends_it(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door, task.id)
    await next_of(call)
    await core.use_cases.import_tasks.delete(a_principal(), task.id)
    assert (await end_of(call)).code is StatusCode.NOT_FOUND


async def test_an_unknown_task_is_not_found(door: Door) -> None:
    id_ = uuid7()
    answer = await end_of(watch(door, id_))
    assert answer.resource == ("stagedoor.dev/ImportTask", f"importTasks/{id_}")


async def test_a_cancelled_watch_leaves_nothing_behind(door: Door, core: Core) -> None:
    task = await core.task()
    calls = [watch(door, task.id) for _ in range(3)]
    for call in calls:
        await next_of(call)
    await watchers(core, task.id, 3)
    for call in calls:
        call.cancel()
    await watchers(core, task.id, 0)


async def test_a_client_s_deadline_ends_it(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door, task.id, timeout=0.3)
    await next_of(call)
    with pytest.raises(aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
    await watchers(core, task.id, 0)


async def test_a_stopping_server_asks_to_come_again(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door, task.id)
    await next_of(call)
    started = asyncio.get_running_loop().time()
    stopping = asyncio.create_task(door.server.stop(grace=10))
    answer = await end_of(call)
    assert (answer.code, answer.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert answer.retry_seconds == 1
    await stopping
    assert asyncio.get_running_loop().time() - started < 5
    await watchers(core, task.id, 0)
