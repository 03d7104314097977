"""The server itself: health, reflection, limits, stopping."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from sqlalchemy import text

from services.api.grpc import server
from services.api.grpc.mapping import MAX_BATCH_BYTES, MAX_REQUEST_BYTES
from services.api.grpc.server import MAX_METADATA_BYTES, SERVICES, serve
from stagedoor.v1.import_task_service_pb2 import WatchImportTaskRequest
from stagedoor.v1.track_service_pb2 import (
    CreateTrackRequest,
    GetTrackRequest,
    ListTracksRequest,
    Track,
)
from tests.support.door import eventually, open_door, refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(door: Door, service: str = "") -> int:
    answer = await door.health.Check(health_pb2.HealthCheckRequest(service=service))
    status: int = answer.status
    return status


async def test_health_follows_readiness_for_every_service(door: Door) -> None:
    for ready, status in ((False, NOT_SERVING), (True, SERVING)):
        await door.server.set_ready(ready=ready)
        assert {await health(door, service) for service in ("", *SERVICES)} == {status}


async def test_health_is_not_serving_at_first(core: Core) -> None:
    begun = await serve(core.use_cases, "127.0.0.1:0")
    async with aio.insecure_channel(f"127.0.0.1:{begun.port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest())
    await begun.stop(grace=0)
    assert answer.status == NOT_SERVING


async def test_health_can_be_watched_to_the_stop(door: Door) -> None:
    call = door.health.Watch(health_pb2.HealthCheckRequest())
    assert (await call.read()).status == SERVING
    stopping = asyncio.create_task(door.server.stop(grace=0.5))
    assert (await call.read()).status == NOT_SERVING
    await stopping


async def test_reflection_lists_what_is_served(door: Door) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = door.reflection.ServerReflectionInfo(iter([request]), metadata=door.admin)
    async with asyncio.timeout(5):
        answers = [answer async for answer in call]
    listed = {service.name for service in answers[0].list_services_response.service}
    assert listed == {
        *SERVICES,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_a_large_request_is_refused(door: Door) -> None:
    request = CreateTrackRequest(track=Track(title="x" * MAX_REQUEST_BYTES))
    answer = await refused(door.tracks.CreateTrack(request, metadata=door.admin))
    assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.fields == {"": "TOO_LONG"}


async def test_a_huge_request_is_refused_before_it_is_read(door: Door) -> None:
    request = CreateTrackRequest(track=Track(title="x" * MAX_BATCH_BYTES))
    with pytest.raises(aio.AioRpcError) as caught:
        await door.tracks.CreateTrack(request, metadata=door.admin)
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_large_metadata_are_refused(door: Door) -> None:
    who = (*door.admin, ("x-large", "x" * MAX_METADATA_BYTES))
    for _ in range(10):
        with pytest.raises(aio.AioRpcError) as caught:
            await door.tracks.ListTracks(ListTracksRequest(), metadata=who)
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_too_many_calls_at_once_are_refused(core: Core) -> None:
    task = await core.task()
    async with open_door(core, max_concurrent_rpcs=1) as door:
        request = WatchImportTaskRequest(name=f"importTasks/{task.id}")
        call = door.tasks.WatchImportTask(request, metadata=door.admin)
        await call.read()
        for _ in range(3):
            other = door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)
            answer = await refused(other)
            assert (answer.code, answer.reason) == (StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
            assert answer.retry_seconds == 1
        assert await health(door) == SERVING
        call.cancel()
        await served_again(door)


async def served_again(door: Door) -> None:
    """Wait until a call is served, which must not take long."""
    async with asyncio.timeout(5):
        while True:
            try:
                await door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)
            except aio.AioRpcError:
                await asyncio.sleep(0.01)
            else:
                return


async def test_calls_that_are_refused_do_not_count_as_served(core: Core) -> None:
    async with open_door(core, max_concurrent_rpcs=1) as door:
        for _ in range(3):
            request = GetTrackRequest(name="x")
            assert (await refused(door.tracks.GetTrack(request, metadata=door.admin))).fields
        await door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)


async def test_even_probes_cannot_be_any_number(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over its own cap gRPC itself refuses, without any details: there is no way to add some."""
    monkeypatch.setattr(server, "HEADROOM", 1)
    async with open_door(core, max_concurrent_rpcs=1) as door:
        watches = [door.health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        assert [(await watch.read()).status for watch in watches] == [SERVING, SERVING]
        with pytest.raises(aio.AioRpcError) as caught:
            await health(door)
        for watch in watches:
            watch.cancel()
    assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "Concurrent RPC limit exceeded!"


async def test_a_port_is_not_shared(door: Door, core: Core) -> None:
    with pytest.raises(RuntimeError):
        await serve(core.use_cases, door.address)


async def test_a_graceful_stop_lets_calls_finish(door: Door, core: Core) -> None:
    """A create that waits for the write lock is answered although the server is stopping."""
    async with core.engines.write.connect() as lock:
        await lock.execute(text("UPDATE tokens SET name = name"))
        request = CreateTrackRequest(track=Track(title="Song"))
        call = door.tracks.CreateTrack(request, metadata=door.admin)
        flights = core.use_cases.executor._flights  # noqa: SLF001 - the call has to be there
        await eventually(lambda: bool(flights))
        stopping = asyncio.create_task(door.server.stop(grace=5))
        await asyncio.sleep(0)
        await lock.rollback()
    assert (await call).title == "Song"
    await stopping


async def test_a_stopped_server_is_unreachable(door: Door) -> None:
    await door.server.stop(grace=0)
    with pytest.raises(aio.AioRpcError) as caught:
        await door.tracks.ListTracks(ListTracksRequest(), metadata=door.admin)
    assert caught.value.code() is StatusCode.UNAVAILABLE


async def test_a_refusal_has_its_details_on_the_wire(door: Door) -> None:
    answer = await refused(door.tracks.CreateTrack(CreateTrackRequest(), metadata=door.admin))
    assert (answer.reason, answer.message) == (
        "INVALID_FIELD",
        "A value for title is required.",
    )
