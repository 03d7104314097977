"""RecordService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode
from uuid_utils.compat import uuid7

from stagedoor.v1 import record_service_pb2 as pb
from stagedoor.v1.import_task_service_pb2 import ImportTask, UpdateImportTaskRequest
from stagedoor.v1.problem_pb2 import Format
from tests.support.core import MD5
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door


async def get(door: Door, name: str) -> pb.Record:
    return await door.records.GetRecord(pb.GetRecordRequest(name=name), metadata=door.admin)


async def names(door: Door, filter_: str = "") -> list[str]:
    request = pb.ListRecordsRequest(filter=filter_)
    page = await door.records.ListRecords(request, metadata=door.admin)
    assert page.total_size == len(page.records)
    return [record.name for record in page.records]


async def test_a_record_says_what_was_accepted(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    record = await get(door, f"records/{task.record_id}")
    assert record.import_task == f"importTasks/{task.id}"
    assert task.target is not None
    assert record.target == f"tracks/{task.target.id}"
    assert (record.isrc, record.md5, record.size_bytes) == ("USRC12345678", MD5, 1000)
    assert record.master_type == ImportTask.MASTER_TYPE_DOLBY_ATMOS
    assert record.format == Format(container="RIFF", codec="PCM", channels=12)
    assert record.HasField("create_time")
    assert not record.HasField("supersede_time")


async def test_a_superseded_record_can_be_read_but_is_not_listed(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    wanted = ImportTask(name=f"importTasks/{task.id}", isrc="USRC12345679")
    changed = await door.tasks.UpdateImportTask(
        UpdateImportTaskRequest(import_task=wanted), metadata=door.admin
    )
    old = await get(door, f"records/{task.record_id}")
    assert old.HasField("supersede_time")
    assert await names(door) == [changed.record]


async def test_records_are_found_by_isrc_target_and_name(door: Door, core: Core) -> None:
    one = await core.complete(await core.task("USRC12345671"))
    two = await core.complete(await core.task("USRC12345672"))
    first, second = (f"records/{task.record_id}" for task in (one, two))
    assert two.target is not None
    assert await names(door) == [first, second]
    assert await names(door, "isrc = USRC12345671") == [first]
    assert await names(door, f'target = "tracks/{two.target.id}"') == [second]
    assert await names(door, f'name = "{first}" OR name = "{second}"') == [first, second]
    assert await names(door, f'name = "{first}" AND isrc = "USRC12345672"') == []


async def test_a_page_token_is_its_filter_s(door: Door, core: Core) -> None:
    for isrc in ("USRC12345670", "USRC12345671"):
        await core.complete(await core.task(isrc))
    request = pb.ListRecordsRequest(page_size=1)
    first = await door.records.ListRecords(request, metadata=door.admin)
    request.page_token = first.next_page_token
    assert (await door.records.ListRecords(request, metadata=door.admin)).records
    request.filter = "isrc = USRC12345671"
    answer = await refused(door.records.ListRecords(request, metadata=door.admin))
    assert answer.fields == {"page_token": "INVALID"}


async def test_what_does_not_exist_is_not_found(door: Door) -> None:
    name = f"records/{uuid7()}"
    answer = await refused(get(door, name))
    assert (answer.code, answer.resource) == (
        StatusCode.NOT_FOUND,
        ("stagedoor.dev/Record", name),
    )
