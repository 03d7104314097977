"""UploadService over a real channel, and import tasks that have an upload."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from services.api.use_cases.uploads import INCOMING
from shared.blobs.local import LocalStore
from stagedoor.v1 import import_task_service_pb2 as tasks_pb
from stagedoor.v1 import upload_service_pb2 as pb
from stagedoor.v1.upload_service_pb2_grpc import UploadServiceStub
from tests.support.core import a_principal, open_core
from tests.support.door import open_door, refused
from tests.support.uploading import FILE, FILE_MD5, bring

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.door import Door

URL = "https://stagedoor.example.com"


@pytest.fixture
async def door(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """The gRPC door of a core that has a folder for bytes."""
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        reached = replace(core, use_cases=core.use_cases.reached_at(URL))
        async with open_door(reached) as opened:
            yield opened


def stub(door: Door) -> Any:
    return UploadServiceStub(door.channel)


async def create(door: Door, key: str = "", **fields: Any) -> pb.Upload:
    request = pb.CreateUploadRequest(upload=pb.Upload(**fields), request_id=key)
    made: pb.Upload = await stub(door).CreateUpload(request, metadata=door.admin)
    return made


async def get(door: Door, name: str) -> pb.Upload:
    found: pb.Upload = await stub(door).GetUpload(
        pb.GetUploadRequest(name=name), metadata=door.admin
    )
    return found


async def arrive(door: Door, upload: pb.Upload) -> pb.Upload:
    """The upload when its file has come."""
    waiting = await door.core.use_cases.uploads.get(a_principal(), _id(upload))
    await bring(door.core, waiting)
    return await get(door, upload.name)


def _id(upload: pb.Upload) -> UUID:
    return UUID(upload.name.partition("/")[2])


async def import_(door: Door, **fields: Any) -> tasks_pb.ImportTask:
    request = tasks_pb.CreateImportTaskRequest(import_task=tasks_pb.ImportTask(**fields))
    return await door.tasks.CreateImportTask(request, metadata=door.admin)


async def test_an_upload_lives_and_ends(door: Door) -> None:
    made = await create(door, file_name="a.wav", content_type="audio/wav", declared_size=len(FILE))
    assert (made.kind, made.state) == ("master", pb.Upload.STATE_WAITING)
    assert made.upload_uri.startswith(f"{URL}{INCOMING}/{_id(made)}?expires=")
    assert made.expire_time.seconds - made.create_time.seconds in {3599, 3600}
    assert not made.HasField("size_bytes")
    assert await get(door, made.name) == made
    after = await arrive(door, made)
    assert (after.state, after.upload_uri) == (pb.Upload.STATE_STORED, "")
    assert (after.size_bytes, after.actual_md5) == (len(FILE), FILE_MD5)
    stale = pb.DeleteUploadRequest(name=made.name, etag=made.etag)
    assert (await refused(stub(door).DeleteUpload(stale, metadata=door.admin))).code is (
        StatusCode.ABORTED
    )
    await stub(door).DeleteUpload(pb.DeleteUploadRequest(name=made.name), metadata=door.admin)
    answer = await refused(get(door, made.name))
    assert answer.resource == ("stagedoor.dev/Upload", made.name)


async def test_the_time_that_it_waits(door: Door) -> None:
    made = await create(door, ttl={"seconds": 90})
    assert made.expire_time.seconds - made.create_time.seconds in {89, 90}
    assert not made.HasField("ttl")
    answer = await refused(create(door, ttl={"seconds": 59}))
    assert answer.fields == {"upload.ttl": "INVALID"}


async def test_lists_of_uploads(door: Door) -> None:
    made = [await create(door) for _ in range(3)]
    request = pb.ListUploadsRequest(page_size=2, order_by="create_time desc")
    first = await stub(door).ListUploads(request, metadata=door.admin)
    assert [each.name for each in first.uploads] == [made[2].name, made[1].name]
    request.page_token = first.next_page_token
    second = await stub(door).ListUploads(request, metadata=door.admin)
    assert [each.name for each in second.uploads] == [made[0].name]
    assert (second.total_size, second.next_page_token) == (3, "")


async def test_the_same_request_gets_the_same_link(door: Door) -> None:
    first, again = [await create(door, "a") for _ in range(2)]
    assert first == again
    assert (await refused(create(door, "a", file_name="b"))).reason == "REQUEST_ID_REUSED"


async def test_an_import_of_an_upload(door: Door) -> None:
    upload = await create(door)
    answer = await refused(import_(door, source_upload=upload.name))
    assert answer.fields == {"import_task.source_upload": "INVALID"}
    await arrive(door, upload)
    task = await import_(door, source_upload=upload.name)
    assert (task.state, task.source_upload) == (tasks_pb.ImportTask.STATE_DOWNLOADED, upload.name)
    assert (task.size_bytes, task.actual_md5) == (len(FILE), FILE_MD5)
    answer = await refused(
        stub(door).DeleteUpload(pb.DeleteUploadRequest(name=upload.name), metadata=door.admin)
    )
    assert (answer.code, answer.reason) == (StatusCode.FAILED_PRECONDITION, "IN_USE")


async def test_a_whole_import_task_can_be_sent_back(door: Door) -> None:
    upload = await arrive(door, await create(door))
    task = await import_(door, source_upload=upload.name)
    request = tasks_pb.UpdateImportTaskRequest(import_task=task, update_mask=FieldMask(paths=["*"]))
    assert await door.tasks.UpdateImportTask(request, metadata=door.admin) == task


async def test_no_source_and_no_upload(door: Door) -> None:
    answer = await refused(import_(door))
    assert answer.fields == {"import_task.source_uri": "REQUIRED"}
    answer = await refused(import_(door, source_upload="x"))
    assert answer.fields == {"import_task.source_upload": "INVALID"}
    unknown = f"uploads/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    answer = await refused(import_(door, source_upload=unknown))
    assert answer.resource == ("stagedoor.dev/Upload", unknown)
