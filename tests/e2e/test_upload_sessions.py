"""A session with two tracks, through the whole product: a master to its record, a cover seen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from grpc import aio

from stagedoor.v1 import import_task_service_pb2 as tasks_pb
from stagedoor.v1 import track_service_pb2 as tracks_pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub
from tests.support.door import bearer
from tests.support.media import eac3, mp4
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.stack import Client, Stack

MASTER = mp4.plain(mp4.Track(frames=eac3.joc_frames(50), config=mp4.dec3()))


@pytest.fixture
async def network(stack: Stack) -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who speaks the dialect."""
    headers = {"Authorization": f"Bearer {stack.ready['token']}"}
    async with aiohttp.ClientSession(stack.ready["http"], headers=headers) as session:
        yield session


async def post(network: aiohttp.ClientSession, path: str, body: Any) -> Any:
    async with network.post(path, json=body) as response:
        answer = await response.json()
        assert (response.status, answer["ok"]) == (200, True), answer
        return answer


async def put(where: Any, data: bytes) -> None:
    """Send bytes as the answer says, from somebody without a token."""
    async with (
        aiohttp.ClientSession() as anybody,
        anybody.request(where["method"], where["upload_url"], data=data) as response,
    ):
        assert response.status == 200, await response.text()


async def test_two_tracks_of_a_session(
    stack: Stack,
    client: Client,
    network: aiohttp.ClientSession,
    new_isrc: Callable[[], str],
) -> None:
    document = {"data": {"type": "collections", "attributes": {"title": "Summer"}}}
    _, made = await client.call("POST", "/collections", document)
    begun = await post(network, "/v1/upload_session", {"collection_id": made["data"]["id"]})
    path = f"/v1/upload/{begun['upload_session_id']}/track"
    isrcs = [new_isrc(), new_isrc()]
    added = [
        await post(
            network,
            path,
            {
                "file_name": f"{n}.mp4",
                "metadata": {"isrc": isrc, "master_type": "dolby_atmos", "title": f"Track {n}"},
            },
        )
        for n, isrc in enumerate(isrcs)
    ]
    assert [each["track"]["index"] for each in added] == ["1", "2"]
    await asyncio.gather(*(put(each["track_upload"], MASTER) for each in added))
    cover = picture("png", 400, 400)
    await put(added[0]["track_cover_upload"], cover)

    who = bearer(stack.ready["token"])
    async with aio.insecure_channel(stack.ready["grpc"]) as channel:
        for each, isrc in zip(added, isrcs, strict=True):
            track = f"tracks/{each['track_id']}"
            wanted = tasks_pb.ListImportTasksRequest(filter=f'target = "{track}"')
            tasks = ImportTaskServiceStub(channel)
            (task,) = (await tasks.ListImportTasks(wanted, metadata=who)).import_tasks
            done = await client.until(task.name.partition("/")[2], ImportTask.STATE_COMPLETED)
            assert (done.target, done.isrc) == (track, isrc)
            assert done.record
        seen: tracks_pb.Track = await TrackServiceStub(channel).GetTrack(
            tracks_pb.GetTrackRequest(name=f"tracks/{added[0]['track_id']}"), metadata=who
        )
    assert seen.title == "Track 0"
    async with aiohttp.ClientSession() as anybody, anybody.get(seen.cover_uri) as answer:
        assert (answer.status, await answer.read()) == (200, cover)
