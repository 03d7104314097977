"""RecordService over a real channel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest
from google.protobuf.duration_pb2 import Duration
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


# Links


async def link(door: Door, name: str, ttl: Duration | None = None) -> pb.DownloadLink:
    request = pb.GenerateDownloadLinkRequest(name=name, ttl=ttl)
    return await door.records.GenerateDownloadLink(request, metadata=door.admin)


async def test_a_link_names_its_record_and_when_it_ends(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    for ttl, seconds in (
        (None, 900),
        (Duration(seconds=60), 60),
        (Duration(seconds=604_800), 604_800),
    ):
        before = datetime.now(UTC)
        made = await link(door, f"records/{task.record_id}", ttl)
        lasting = made.expire_time.ToDatetime(UTC) - before
        assert timedelta(seconds=seconds - 1) <= lasting <= timedelta(seconds=seconds + 5)
        parts = urlsplit(made.uri)
        assert parts.path == f"/files/{task.record_id}"
        query = dict(parse_qsl(parts.query))
        assert query["expires"] == str(made.expire_time.seconds)
        core.use_cases.links.signer.check(
            task.record_id or uuid7(), query["expires"], query["signature"], before
        )


@pytest.mark.parametrize(
    "ttl",
    [
        Duration(seconds=59, nanos=999_999_999),
        Duration(seconds=604_800, nanos=1),
        Duration(),
        Duration(seconds=-60),
        Duration(seconds=2**62),
    ],
)
async def test_a_link_lasts_neither_too_short_nor_too_long(
    door: Door, core: Core, ttl: Duration
) -> None:
    task = await core.complete(await core.task())
    answer = await refused(link(door, f"records/{task.record_id}", ttl))
    assert (answer.code, answer.fields) == (StatusCode.INVALID_ARGUMENT, {"ttl": "INVALID"})
    assert "60 seconds" in answer.message
    assert "604800" in answer.message


async def test_only_a_valid_record_of_one_s_own_has_links(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    name = f"records/{task.record_id}"
    request = pb.GenerateDownloadLinkRequest(name=name)
    for who, code in (
        (await door.holder("admin", tenant="other"), StatusCode.NOT_FOUND),
        (await door.holder("tasks:read"), StatusCode.PERMISSION_DENIED),
    ):
        answer = await refused(door.records.GenerateDownloadLink(request, metadata=who))
        assert answer.code is code
    reader = await door.holder("records:read")
    assert (await door.records.GenerateDownloadLink(request, metadata=reader)).uri
    wanted = ImportTask(name=f"importTasks/{task.id}", isrc="USRC12345679")
    await door.tasks.UpdateImportTask(
        UpdateImportTaskRequest(import_task=wanted), metadata=door.admin
    )
    answer = await refused(link(door, name))
    assert (answer.code, answer.reason) == (StatusCode.FAILED_PRECONDITION, "STATE_CONFLICT")
    for nothing in (f"records/{uuid7()}", "records/x"):
        assert (await refused(link(door, nothing))).code in {
            StatusCode.NOT_FOUND,
            StatusCode.INVALID_ARGUMENT,
        }
