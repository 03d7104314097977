"""BatchCreateImportTasks: all or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode
from uuid_utils.compat import uuid7

from stagedoor.v1 import import_task_service_pb2 as pb
from tests.support.door import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.core import Core
    from tests.support.door import Door

URL = "https://cdn.example.com/master.wav"


def a_task(**fields: Any) -> pb.ImportTask:
    return pb.ImportTask(**{"source_uri": URL, **fields})


def batch(
    door: Door, *tasks: pb.ImportTask, **how: Any
) -> Awaitable[pb.BatchCreateImportTasksResponse]:
    requests = [pb.CreateImportTaskRequest(import_task=task) for task in tasks]
    request = pb.BatchCreateImportTasksRequest(requests=requests, **how)
    return door.tasks.BatchCreateImportTasks(request, metadata=door.admin)


async def total(door: Door) -> int:
    request = pb.ListImportTasksRequest()
    return (await door.tasks.ListImportTasks(request, metadata=door.admin)).total_size


async def test_five_hundred_are_made_in_order(door: Door) -> None:
    isrcs = [f"USRC1{n:07}" for n in range(500)]
    long = URL.ljust(1800, "x")
    answer = await batch(door, *(a_task(isrc=isrc, source_uri=long) for isrc in isrcs))
    assert [task.isrc for task in answer.import_tasks] == isrcs
    assert len({task.name for task in answer.import_tasks}) == 500
    assert await total(door) == 500


@pytest.mark.parametrize("number", [0, 501])
async def test_a_batch_has_its_bounds(door: Door, number: int) -> None:
    answer = await refused(batch(door, *(a_task() for _ in range(number))))
    assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.fields == {"requests": "INVALID"}


async def test_one_wrong_task_refuses_all(door: Door) -> None:
    wrong = a_task(isrc="nope", source_uri="")
    answer = await refused(batch(door, a_task(), a_task(), wrong))
    assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.metadata == {"index": "2"}
    assert answer.fields == {
        "requests[2].import_task.source_uri": "REQUIRED",
        "requests[2].import_task.isrc": "INVALID",
    }
    assert await total(door) == 0


async def test_what_the_door_refuses_has_its_place_too(door: Door) -> None:
    other_type = a_task()
    other_type.master_type = 99  # type: ignore[assignment] # as a newer client would send it
    for wrong, field in ((a_task(target="x"), "target"), (other_type, "master_type")):
        answer = await refused(batch(door, a_task(), wrong))
        assert answer.fields == {f"requests[1].import_task.{field}": "INVALID"}


async def test_a_missing_track_refuses_all(door: Door) -> None:
    name = f"tracks/{uuid7()}"
    answer = await refused(batch(door, a_task(), a_task(target=name)))
    assert (answer.code, answer.reason) == (StatusCode.NOT_FOUND, "RELATED_NOT_FOUND")
    assert answer.fields == {"requests[1].import_task.target": "NOT_FOUND"}
    assert answer.resource == ("stagedoor.dev/Track", name)
    assert await total(door) == 0


async def test_a_taken_isrc_refuses_all(door: Door, core: Core) -> None:
    await core.complete(await core.task("USRC12345678"))
    answer = await refused(batch(door, a_task(), a_task(isrc="USRC12345678")))
    assert (answer.code, answer.reason) == (StatusCode.ALREADY_EXISTS, "ISRC_TAKEN")
    assert answer.fields == {"requests[1].import_task.isrc": "TAKEN"}
    assert await total(door) == 1


async def test_a_batch_is_done_once(door: Door) -> None:
    tasks = (a_task(), a_task(isrc="USRC12345678"))
    first = await batch(door, *tasks, request_id="key")
    assert await batch(door, *tasks, request_id="key") == first
    assert (await refused(batch(door, *tasks[:1], request_id="key"))).reason == "REQUEST_ID_REUSED"
    assert await total(door) == 2


async def test_a_batch_can_be_tried(door: Door) -> None:
    answer = await batch(door, a_task(), a_task(), validate_only=True)
    assert len(answer.import_tasks) == 2
    assert await total(door) == 0
