"""WatchImportTasks: what it sends and how it ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode, aio
from structlog.testing import capture_logs

from services.api import signals
from services.api.grpc import server
from stagedoor.v1.import_task_service_pb2 import (
    ImportTask,
    WatchImportTasksRequest,
    WatchImportTasksResponse,
)
from tests.support.core import a_principal
from tests.support.door import Refused, eventually, open_door, read_error

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door, Metadata

Watch = aio.UnaryStreamCall[WatchImportTasksRequest, WatchImportTasksResponse]


def watch(door: Door, cursor: str = "", who: Metadata | None = None) -> Watch:
    request = WatchImportTasksRequest(cursor=cursor)
    return door.tasks.WatchImportTasks(request, metadata=who or door.admin)


async def watchers(core: Core, number: int, tenant: str = "default") -> None:
    """Wait until so many watch the tenant."""
    topic = signals.tenant_topic(tenant)
    subscribers = core.signals._subscribers  # noqa: SLF001 - that nothing is left is not public
    await eventually(lambda: len(subscribers.get(topic, ())) == number)


async def next_of(call: Watch) -> WatchImportTasksResponse:
    answer = await asyncio.wait_for(call.read(), 5)
    assert isinstance(answer, WatchImportTasksResponse)
    return answer


async def rest_of(call: Watch) -> None:
    """Read until the stream ends."""
    async with asyncio.timeout(5):
        while await call.read() is not aio.EOF:
            pass


async def end_of(call: Watch) -> Refused:
    with pytest.raises(aio.AioRpcError) as caught:
        await rest_of(call)
    return read_error(caught.value)


async def test_it_sends_every_task_s_changes(door: Door, core: Core) -> None:
    await core.task("USRC12345670")
    call = watch(door)
    await watchers(core, 1)
    task = await core.task()
    first = await next_of(call)
    assert first.import_task.name == f"importTasks/{task.id}"
    assert (first.import_task.state, first.deleted) == (ImportTask.STATE_PENDING, False)
    await core.complete(task)
    seen = [first]
    while seen[-1].import_task.state != ImportTask.STATE_COMPLETED:
        seen.append(await next_of(call))
    versions = [change.import_task.version for change in seen]
    assert versions == sorted(set(versions))
    call.cancel()


async def test_of_a_deleted_task_only_its_name_is_left(door: Door, core: Core) -> None:
    task = await core.task()
    call = watch(door)
    await watchers(core, 1)
    await core.use_cases.import_tasks.delete(a_principal(), task.id)
    change = await next_of(call)
    assert change.deleted
    assert change.import_task == ImportTask(name=f"importTasks/{task.id}", version=task.version + 1)
    call.cancel()


async def test_it_goes_on_from_a_cursor(door: Door, core: Core) -> None:
    call = watch(door)
    await watchers(core, 1)
    await core.task("USRC12345670")
    cursor = (await next_of(call)).cursor
    call.cancel()
    missed = await core.task("USRC12345671")
    again = watch(door, cursor)
    names = {(await next_of(again)).import_task.name for _ in range(2)}
    assert f"importTasks/{missed.id}" in names
    again.cancel()


async def test_it_goes_on_after_its_connection_s_last_day(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the connection's greatest age gRPC ends what is left on it; the channel makes another."""
    aged = {"grpc.max_connection_age_ms": 1000, "grpc.max_connection_age_grace_ms": 500}
    monkeypatch.setattr(server, "OPTIONS", tuple({**dict(server.OPTIONS), **aged}.items()))
    async with open_door(core) as door:
        call = watch(door)
        await watchers(core, 1)
        await core.task("USRC12345670")
        cursor = (await next_of(call)).cursor
        with pytest.raises(aio.AioRpcError) as caught:
            await rest_of(call)
        assert caught.value.code() is StatusCode.UNAVAILABLE
        await watchers(core, 0)
        missed = f"importTasks/{(await core.task('USRC12345671')).id}"
        again = watch(door, cursor)
        while (await next_of(again)).import_task.name != missed:
            pass
        again.cancel()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "_",
        "\x00",
        "2026-01-01T00:00:00_x",
        "0001-01-01T00:00:00_" + "0" * 32,
        "0001-01-01T00:00:00+00:00_" + "0" * 32,
    ],
)
async def test_junk_is_no_cursor(door: Door, cursor: str) -> None:
    answer = await end_of(watch(door, cursor))
    assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_QUERY")
    assert answer.fields == {"cursor": "INVALID"}


async def test_nobody_sees_what_is_another_tenant_s(door: Door, core: Core) -> None:
    stranger = await door.holder("tasks:read", tenant="other")
    call = watch(door, who=stranger)
    await watchers(core, 1, "other")
    await core.task("USRC12345670")
    theirs = await core.task("USRC12345671", a_principal("other"))
    assert (await next_of(call)).import_task.name == f"importTasks/{theirs.id}"
    call.cancel()


async def test_a_cancelled_watch_leaves_nothing_behind(door: Door, core: Core) -> None:
    calls = [watch(door) for _ in range(3)]
    await watchers(core, 3)
    for call in calls:
        call.cancel()
    await watchers(core, 0)


async def test_a_stopping_server_asks_to_come_again(door: Door, core: Core) -> None:
    call = watch(door)
    await watchers(core, 1)
    stopping = asyncio.create_task(door.server.stop(grace=10))
    answer = await end_of(call)
    assert (answer.code, answer.reason) == (StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert answer.retry_seconds == 1
    await asyncio.wait_for(stopping, 5)
    await watchers(core, 0)


async def test_a_stop_without_grace_leaves_nothing_behind_and_nothing_to_tell(core: Core) -> None:
    with capture_logs() as logs:
        for _ in range(10):
            async with open_door(core) as door:
                calls = [watch(door) for _ in range(5)]
                await watchers(core, 5)
                await door.server.stop(grace=0)
                await watchers(core, 0)
                for call in calls:
                    assert await call.code() is not StatusCode.OK
    assert logs == []
