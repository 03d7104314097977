"""ImportTaskService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Failed, Refused, error
from stagedoor.v1 import import_task_service_pb2 as pb
from tests.support.core import MD5
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door

URL = "https://cdn.example.com/master.wav"
ISRC = "USRC12345678"


async def create(door: Door, **fields: Any) -> pb.ImportTask:
    request = pb.CreateImportTaskRequest(import_task=pb.ImportTask(**fields))
    return await door.tasks.CreateImportTask(request, metadata=door.admin)


async def get(door: Door, name: str) -> pb.ImportTask:
    return await door.tasks.GetImportTask(pb.GetImportTaskRequest(name=name), metadata=door.admin)


async def update(door: Door, task: pb.ImportTask, *paths: str) -> pb.ImportTask:
    mask = FieldMask(paths=paths) if paths else None
    request = pb.UpdateImportTaskRequest(import_task=task, update_mask=mask)
    return await door.tasks.UpdateImportTask(request, metadata=door.admin)


async def test_create_answers_with_the_whole_task(door: Door, core: Core) -> None:
    track = await core.track()
    task = await create(
        door, source_uri=URL, isrc=ISRC.lower(), target=f"tracks/{track.id}", declared_md5=MD5
    )
    assert task.name.startswith("importTasks/")
    assert (task.source_uri, task.isrc, task.declared_md5) == (URL, ISRC, MD5)
    assert task.target == f"tracks/{track.id}"
    assert task.state == pb.ImportTask.STATE_PENDING
    assert task.master_type == pb.ImportTask.MASTER_TYPE_DOLBY_ATMOS
    assert (task.generation, task.attempts, task.version) == (1, 0, 1)
    assert task.create_time == task.update_time
    assert not task.HasField("size_bytes")
    assert not task.HasField("progress")
    assert not task.HasField("next_attempt_time")
    assert await get(door, task.name) == task


async def test_create_ignores_what_only_the_server_writes(door: Door) -> None:
    wanted = pb.ImportTask(
        name=f"importTasks/{uuid7()}",
        source_uri=URL,
        state=pb.ImportTask.STATE_COMPLETED,
        version=7,
    )
    task = await door.tasks.CreateImportTask(
        pb.CreateImportTaskRequest(import_task=wanted), metadata=door.admin
    )
    assert task.name != wanted.name
    assert (task.state, task.version) == (pb.ImportTask.STATE_PENDING, 1)


async def test_create_names_every_wrong_field_where_it_is_in_the_request(door: Door) -> None:
    answer = await refused(create(door, source_uri="http://x.example/", isrc="x", declared_md5="y"))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.reason == "INVALID_FIELD"
    assert answer.fields == {
        "import_task.source_uri": "NOT_HTTPS",
        "import_task.isrc": "INVALID",
        "import_task.declared_md5": "INVALID",
    }


async def test_create_needs_a_source(door: Door) -> None:
    answer = await refused(create(door, isrc=ISRC))
    assert answer.fields == {"import_task.source_uri": "REQUIRED"}


@pytest.mark.parametrize(
    "target", ["tracks/x", "creators/01890a5d-ac96-774b-bcce-b302099a8057", "t"]
)
async def test_create_needs_a_target_that_masters_can_be_imported_for(
    door: Door, target: str
) -> None:
    answer = await refused(create(door, source_uri=URL, target=target))
    assert answer.fields == {"import_task.target": "INVALID"}


async def test_create_refuses_a_track_that_does_not_exist(door: Door) -> None:
    name = f"tracks/{uuid7()}"
    answer = await refused(create(door, source_uri=URL, target=name))
    assert answer.code is StatusCode.NOT_FOUND
    assert answer.reason == "RELATED_NOT_FOUND"
    assert answer.fields == {"import_task.target": "NOT_FOUND"}
    assert answer.resource == ("stagedoor.dev/Track", name)


async def test_create_refuses_a_master_type_that_it_does_not_know(door: Door) -> None:
    wanted = pb.ImportTask(source_uri=URL)
    wanted.master_type = 99  # type: ignore[assignment] # as a newer client would send it
    request = pb.CreateImportTaskRequest(import_task=wanted)
    answer = await refused(door.tasks.CreateImportTask(request, metadata=door.admin))
    assert answer.fields == {"import_task.master_type": "INVALID"}


async def test_create_refuses_an_isrc_that_a_valid_record_holds(door: Door, core: Core) -> None:
    await core.complete(await core.task(ISRC))
    answer = await refused(create(door, source_uri=URL, isrc=ISRC))
    assert answer.code is StatusCode.ALREADY_EXISTS
    assert answer.reason == "ISRC_TAKEN"
    assert answer.fields == {"import_task.isrc": "TAKEN"}


async def test_a_completed_task_shows_its_record(door: Door, core: Core) -> None:
    task = await core.complete(await core.task())
    seen = await get(door, f"importTasks/{task.id}")
    assert seen.state == pb.ImportTask.STATE_COMPLETED
    assert seen.record == f"records/{task.record_id}"
    assert (seen.size_bytes, seen.actual_md5) == (1000, MD5)


async def test_a_running_task_shows_its_progress(door: Door, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    await core.use_cases.runs.progress(task.id, run, 10, 100)
    seen = await get(door, f"importTasks/{task.id}")
    assert seen.state == pb.ImportTask.STATE_DOWNLOADING
    assert seen.progress == pb.ImportTask.Progress(stage="download", done_bytes=10, total_bytes=100)
    assert seen.attempts == 1
    assert not seen.HasField("next_attempt_time")


async def test_a_waiting_task_says_why_and_how_long(door: Door, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    failed = Failed(problem=error("origin_unreachable", "No answer."))
    await core.use_cases.runs.report(task.id, run, failed)
    seen = await get(door, f"importTasks/{task.id}")
    assert seen.last_failure.code == "origin_unreachable"
    assert seen.HasField("next_attempt_time")


@pytest.mark.parametrize(
    "name",
    [
        "importTasks/1",
        "tracks/01890a5d-ac96-774b-bcce-b302099a8057",
        "importTasks/{01890a5d-ac96-774b-bcce-b302099a8057}",
        "importTasks/01890a5dac96774bbcceb302099a8057",
        "importTasks/-",
    ],
)
async def test_a_name_has_one_spelling(door: Door, name: str) -> None:
    answer = await refused(get(door, name))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {"name": "INVALID"}


async def test_a_missing_name_is_required(door: Door) -> None:
    assert (await refused(get(door, ""))).fields == {"name": "REQUIRED"}


async def test_what_does_not_exist_is_not_found(door: Door) -> None:
    name = f"importTasks/{uuid7()}"
    answer = await refused(get(door, name))
    assert answer.code is StatusCode.NOT_FOUND
    assert answer.reason == "NOT_FOUND"
    assert answer.resource == ("stagedoor.dev/ImportTask", name)


async def test_update_without_a_mask_changes_what_is_populated(door: Door) -> None:
    task = await create(door, source_uri=URL, isrc=ISRC, declared_md5=MD5)
    changed = await update(door, pb.ImportTask(name=task.name, isrc="USRC12345679"))
    assert (changed.isrc, changed.source_uri, changed.declared_md5) == ("USRC12345679", URL, MD5)
    assert (changed.generation, changed.version) == (1, 2)


async def test_update_takes_back_what_get_gave(door: Door) -> None:
    task = await create(door, source_uri=URL, isrc=ISRC)
    assert await update(door, task) == task


async def test_update_with_a_mask_clears_what_is_named_and_empty(door: Door) -> None:
    task = await create(door, source_uri=URL, isrc=ISRC, declared_md5=MD5)
    changed = await update(door, pb.ImportTask(name=task.name, source_uri="ignored"), "isrc")
    assert (changed.isrc, changed.source_uri, changed.declared_md5) == ("", URL, MD5)


async def test_update_with_a_star_replaces_everything(door: Door) -> None:
    task = await create(door, source_uri=URL, isrc=ISRC, declared_md5=MD5)
    changed = await update(door, pb.ImportTask(name=task.name, source_uri=URL), "*")
    assert (changed.isrc, changed.declared_md5) == ("", "")
    assert changed.generation == 2


async def test_update_ignores_what_only_the_server_writes(door: Door) -> None:
    task = await create(door, source_uri=URL)
    wanted = pb.ImportTask(name=task.name, version=9, state=pb.ImportTask.STATE_COMPLETED)
    assert await update(door, wanted, "version", "state", "progress.stage", "name") == task


@pytest.mark.parametrize("paths", [(), ("*",), ("master_type",), ("isrc", "master_type")])
async def test_update_takes_a_master_type_only_as_it_is(door: Door, paths: tuple[str, ...]) -> None:
    task = await create(door, source_uri=URL)
    assert await update(door, task, *paths) == task
    task.master_type = 99  # type: ignore[assignment] # as a newer client would send it
    answer = await refused(update(door, task, *paths))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {"import_task.master_type": "INVALID"}


@pytest.mark.parametrize("paths", [("titel",), ("isrc.x",), ("*", "isrc"), ("",)])
async def test_update_refuses_paths_that_cannot_be_changed(
    door: Door, paths: tuple[str, ...]
) -> None:
    task = await create(door, source_uri=URL)
    answer = await refused(update(door, task, *paths))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {"update_mask": "INVALID"}


async def test_update_needs_a_source(door: Door) -> None:
    task = await create(door, source_uri=URL)
    answer = await refused(update(door, pb.ImportTask(name=task.name), "source_uri"))
    assert answer.fields == {"import_task.source_uri": "REQUIRED"}


async def test_update_names_a_wrong_name_where_it_is(door: Door) -> None:
    answer = await refused(update(door, pb.ImportTask(name="x", isrc=ISRC)))
    assert answer.fields == {"import_task.name": "INVALID"}


async def test_delete_ends_the_task(door: Door) -> None:
    task = await create(door, source_uri=URL)
    request = pb.DeleteImportTaskRequest(name=task.name)
    await door.tasks.DeleteImportTask(request, metadata=door.admin)
    assert (await refused(get(door, task.name))).code is StatusCode.NOT_FOUND


async def test_retry_starts_a_failed_task_again(door: Door, core: Core) -> None:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    refusal = Refused(problems=(error("http_status", "The origin answered 404."),))
    await core.use_cases.runs.report(task.id, run, refusal)
    name = f"importTasks/{task.id}"
    failed = await get(door, name)
    assert [(p.code, p.severity) for p in failed.problems] == [("http_status", 3)]

    again = await door.tasks.RetryImportTask(
        pb.RetryImportTaskRequest(name=name), metadata=door.admin
    )
    assert (again.state, again.generation) == (pb.ImportTask.STATE_PENDING, 2)


async def test_retry_refuses_a_task_that_did_not_fail(door: Door) -> None:
    task = await create(door, source_uri=URL)
    request = pb.RetryImportTaskRequest(name=task.name)
    answer = await refused(door.tasks.RetryImportTask(request, metadata=door.admin))
    assert answer.code is StatusCode.FAILED_PRECONDITION
    assert answer.reason == "STATE_CONFLICT"
    assert answer.metadata == {"status": "pending"}
