"""A master that is at no URL: brought by its client, through the whole product to its record."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import aiohttp
import pytest
from grpc import aio

from stagedoor.v1 import import_task_service_pb2 as tasks_pb
from stagedoor.v1 import track_service_pb2 as tracks_pb
from stagedoor.v1 import upload_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub
from stagedoor.v1.upload_service_pb2_grpc import UploadServiceStub
from tests.support.door import bearer
from tests.support.media import eac3, mp4
from tests.support.pictures import picture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.support.stack import Client, Stack

MASTER = mp4.plain(mp4.Track(frames=eac3.joc_frames(50), config=mp4.dec3()))
MD5 = hashlib.md5(MASTER).hexdigest()
OFFSET = "application/offset+octet-stream"


@pytest.fixture
async def channel(stack: Stack) -> AsyncIterator[aio.Channel]:
    """A channel to the running product."""
    async with aio.insecure_channel(stack.ready["grpc"]) as opened:
        yield opened


@pytest.fixture
async def anybody() -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody without a token."""
    async with aiohttp.ClientSession() as session:
        yield session


async def expect(stack: Stack, channel: aio.Channel, upload: pb.Upload) -> pb.Upload:
    request = pb.CreateUploadRequest(upload=upload)
    who = bearer(stack.ready["token"])
    made: pb.Upload = await UploadServiceStub(channel).CreateUpload(request, metadata=who)
    assert made.upload_uri.startswith(f"{stack.ready['http']}/incoming/")
    return made


async def by_put(anybody: aiohttp.ClientSession, uri: str) -> None:
    async with anybody.put(uri, data=MASTER) as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, f'"{MD5}"')


async def by_tus(anybody: aiohttp.ClientSession, uri: str) -> None:
    half = len(MASTER) // 2
    for start, end in ((0, half), (half, len(MASTER))):
        headers = {"Tus-Resumable": "1.0.0", "Content-Type": OFFSET, "Upload-Offset": str(start)}
        async with anybody.patch(uri, data=MASTER[start:end], headers=headers) as answer:
            assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(end))


@pytest.mark.parametrize("bring", [by_put, by_tus])
async def test_an_uploaded_master_becomes_a_record(  # noqa: PLR0917 - fixtures
    bring: Callable[[aiohttp.ClientSession, str], Awaitable[None]],
    stack: Stack,
    client: Client,
    channel: aio.Channel,
    anybody: aiohttp.ClientSession,
    new_isrc: Callable[[], str],
) -> None:
    upload = await expect(stack, channel, pb.Upload(declared_size=len(MASTER), declared_md5=MD5))
    await bring(anybody, upload.upload_uri)
    wanted = ImportTask(source_upload=upload.name, isrc=new_isrc())
    who = bearer(stack.ready["token"])
    task: ImportTask = await ImportTaskServiceStub(channel).CreateImportTask(
        tasks_pb.CreateImportTaskRequest(import_task=wanted), metadata=who
    )
    assert task.state == ImportTask.STATE_DOWNLOADED
    done = await client.until(task.name.partition("/")[2], ImportTask.STATE_COMPLETED)
    assert (done.actual_md5, done.size_bytes, done.generation) == (MD5, len(MASTER), 1)
    after: pb.Upload = await UploadServiceStub(channel).GetUpload(
        pb.GetUploadRequest(name=upload.name), metadata=who
    )
    assert after.state == pb.Upload.STATE_IMPORTED
    signature = upload.upload_uri.rpartition("signature=")[2]
    log = await asyncio.to_thread(stack.ready_file.with_name("log").read_text)
    assert signature not in log


async def test_a_cover_is_seen(
    stack: Stack, client: Client, channel: aio.Channel, anybody: aiohttp.ClientSession
) -> None:
    track, cover = f"tracks/{await client.track()}", picture("png", 400, 400)
    upload = await expect(stack, channel, pb.Upload(kind="cover", target=track))
    async with anybody.post(upload.upload_uri, data=cover) as answer:
        assert answer.status == 200, await answer.text()
    seen: tracks_pb.Track = await TrackServiceStub(channel).GetTrack(
        tracks_pb.GetTrackRequest(name=track), metadata=bearer(stack.ready["token"])
    )
    async with anybody.get(seen.cover_uri) as answer:
        assert (answer.status, await answer.read()) == (200, cover)
    async with anybody.get(seen.cover_thumbnail_uri) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
