"""Header fields for origins over a real channel: taken, refused by their names, never answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.outcomes import Go, Run
from services.api.grpc.names import IMPORT_TASKS, require
from stagedoor.v1.import_task_service_pb2 import (
    BatchCreateImportTasksRequest,
    CreateImportTaskRequest,
    ImportTask,
    UpdateImportTaskRequest,
)
from tests.support.door import refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.door import Door

URL = "https://cdn.example.com/master.wav"
FIELDS = {"Authorization": "Bearer open-sesame", "X-Key": "k"}
OTHERS = {"Authorization": "Bearer another"}


def wanted(headers: Mapping[str, str], **more: str) -> CreateImportTaskRequest:
    cd = ImportTask.MASTER_TYPE_CD
    task = ImportTask(source_uri=URL, master_type=cd, source_headers=headers)
    return CreateImportTaskRequest(import_task=task, **more)  # type: ignore[arg-type] # strings


async def create(door: Door, headers: Mapping[str, str], **more: str) -> ImportTask:
    return await door.tasks.CreateImportTask(wanted(headers, **more), metadata=door.admin)


async def update(door: Door, task: ImportTask, *paths: str) -> ImportTask:
    request = UpdateImportTaskRequest(import_task=task, update_mask=FieldMask(paths=paths))
    return await door.tasks.UpdateImportTask(request, metadata=door.admin)


async def given_to(door: Door, task: ImportTask) -> Mapping[str, str]:
    run = Run(Stage.DOWNLOAD, task.generation, uuid7())
    go = await door.core.use_cases.runs.claim(require(task.name, IMPORT_TASKS), run)
    assert isinstance(go, Go)
    return go.source_headers.fields if go.source_headers else {}


async def test_they_are_taken_and_never_answered(door: Door) -> None:
    task = await create(door, FIELDS)
    assert task.source_headers == {}
    changed = await update(door, ImportTask(name=task.name, source_headers=OTHERS))
    assert (len(changed.source_headers), changed.version) == (0, task.version + 1)
    assert await given_to(door, task) == OTHERS


async def test_a_batch_takes_them(door: Door) -> None:
    request = BatchCreateImportTasksRequest(requests=[wanted(FIELDS), wanted({})])
    made = await door.tasks.BatchCreateImportTasks(request, metadata=door.admin)
    assert [await given_to(door, task) for task in made.import_tasks] == [FIELDS, {}]


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        ([], FIELDS),
        (["*"], FIELDS),
        (["isrc"], FIELDS),
        (["source_headers"], {}),
    ],
    ids=str,
)
async def test_what_was_read_and_is_sent_back_does_not_remove_them(
    door: Door, paths: list[str], kept: Mapping[str, str]
) -> None:
    task = await create(door, FIELDS)
    await update(door, task, *paths)
    assert await given_to(door, task) == kept


async def test_a_part_of_them_cannot_be_changed(door: Door) -> None:
    task = await create(door, FIELDS)
    answer = await refused(update(door, task, "source_headers.Authorization"))
    assert answer.fields == {"update_mask": "INVALID"}


async def test_each_wrong_one_is_named_and_no_value_told(door: Door) -> None:
    headers = {"Host": "secret-1", "Proxy-Authorization": "secret-2", "X": "secret-3\n", "a b": "c"}
    answer = await refused(create(door, headers))
    assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert answer.fields == {
        "import_task.source_headers.Host": "HEADER_REFUSED",
        "import_task.source_headers.`Proxy-Authorization`": "HEADER_REFUSED",
        "import_task.source_headers.X": "INVALID",
        "import_task.source_headers.`a b`": "INVALID",
    }
    assert "secret" not in repr(answer)


async def test_in_a_batch_it_is_told_which(door: Door) -> None:
    request = BatchCreateImportTasksRequest(requests=[wanted({}), wanted({"Range": "bytes=0-"})])
    answer = await refused(door.tasks.BatchCreateImportTasks(request, metadata=door.admin))
    assert answer.fields == {"requests[1].import_task.source_headers.Range": "HEADER_REFUSED"}


async def test_too_many_or_too_long_ones_are_one_fault(door: Door) -> None:
    for headers in ({f"X-{n}": "v" for n in range(17)}, {"X": "v" * 8192}, {"X" * 8192: "v"}):
        answer = await refused(create(door, headers))
        assert answer.fields == {"import_task.source_headers": "INVALID"}


async def test_the_longest_names_leave_room_for_the_answer(door: Door) -> None:
    headers = {f"{'é' * 240}{n}": "v" for n in range(16)}
    answer = await refused(create(door, headers))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert all(len(path) < 150 for path in answer.fields)


async def test_a_request_id_stands_for_them_too(door: Door) -> None:
    id_ = str(uuid7())
    several = {f"X-{n}": "v" for n in range(16)}
    first = await create(door, several, request_id=id_)
    assert await create(door, dict(reversed(several.items())), request_id=id_) == first
    answer = await refused(create(door, OTHERS, request_id=id_))
    assert answer.reason == "REQUEST_ID_REUSED"
