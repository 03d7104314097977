"""How a change is made: etags, request ids, dry runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Refused, error
from stagedoor.v1 import import_task_service_pb2 as tasks
from stagedoor.v1 import track_service_pb2 as tracks
from tests.support.door import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.door import Door, Metadata

URL = "https://cdn.example.com/master.wav"
KEY = "0b5c7c1e-7f0e-4b38-9b67-1e6a4c1d0a11"


def create_task(
    door: Door, who: Metadata | None = None, isrc: str = "", **how: Any
) -> Awaitable[tasks.ImportTask]:
    task = tasks.ImportTask(source_uri=URL, isrc=isrc)
    request = tasks.CreateImportTaskRequest(import_task=task, **how)
    return door.tasks.CreateImportTask(request, metadata=who or door.admin)


def update_task(door: Door, task: tasks.ImportTask, **how: Any) -> Awaitable[tasks.ImportTask]:
    request = tasks.UpdateImportTaskRequest(import_task=task, **how)
    return door.tasks.UpdateImportTask(request, metadata=door.admin)


def delete_task(door: Door, name: str, etag: str = "") -> Awaitable[object]:
    request = tasks.DeleteImportTaskRequest(name=name, etag=etag)
    return door.tasks.DeleteImportTask(request, metadata=door.admin)


def retry_task(door: Door, name: str, **how: Any) -> Awaitable[tasks.ImportTask]:
    request = tasks.RetryImportTaskRequest(name=name, **how)
    return door.tasks.RetryImportTask(request, metadata=door.admin)


def create_track(door: Door, title: str = "Song", **how: Any) -> Awaitable[tracks.Track]:
    request = tracks.CreateTrackRequest(track=tracks.Track(title=title), **how)
    return door.tracks.CreateTrack(request, metadata=door.admin)


def update_track(door: Door, track: tracks.Track, **how: Any) -> Awaitable[tracks.Track]:
    request = tracks.UpdateTrackRequest(track=track, **how)
    return door.tracks.UpdateTrack(request, metadata=door.admin)


def delete_track(door: Door, name: str, etag: str = "") -> Awaitable[object]:
    request = tracks.DeleteTrackRequest(name=name, etag=etag)
    return door.tracks.DeleteTrack(request, metadata=door.admin)


async def tasks_of(door: Door, who: Metadata | None = None) -> int:
    request = tasks.ListImportTasksRequest()
    return (await door.tasks.ListImportTasks(request, metadata=who or door.admin)).total_size


async def tracks_of(door: Door) -> int:
    request = tracks.ListTracksRequest()
    return (await door.tracks.ListTracks(request, metadata=door.admin)).total_size


async def a_failed_task(core: Core) -> Task:
    task = await core.task()
    run = await core.claim(task.id, Stage.DOWNLOAD)
    failure = Refused(problems=(error("http_status", "The origin answered 404."),))
    await core.use_cases.runs.report(task.id, run, failure)
    return task


async def test_an_etag_changes_with_the_resource(door: Door) -> None:
    task, track = await create_task(door), await create_track(door)
    task.isrc, track.title = "USRC12345678", "Other"
    changed_task, changed_track = await update_task(door, task), await update_track(door, track)
    assert (task.etag, changed_task.etag) == ('"1"', '"2"')
    assert (track.etag, changed_track.etag) == ('"1"', '"2"')


async def test_an_etag_does_not_change_without_a_change(door: Door) -> None:
    task, track = await create_task(door), await create_track(door)
    assert (await update_task(door, task)).etag == task.etag
    assert (await update_track(door, track)).etag == track.etag


@pytest.mark.parametrize("etag", ['"2"', 'W/"1"', "1", "x"])
async def test_a_change_of_something_else_is_aborted(door: Door, core: Core, etag: str) -> None:
    task, track = await create_task(door), await create_track(door)
    failed = f"importTasks/{(await a_failed_task(core)).id}"
    task.etag = track.etag = etag
    mask = FieldMask(paths=["isrc"])
    for call in (
        update_task(door, task),
        update_task(door, task, update_mask=mask),
        delete_task(door, task.name, etag),
        retry_task(door, failed, etag='"1"'),
        update_track(door, track),
        delete_track(door, track.name, etag),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
        assert answer.retry_seconds == 0
    assert (await tasks_of(door), await tracks_of(door)) == (2, 2)


async def test_a_change_of_what_was_seen_is_made(door: Door, core: Core) -> None:
    name = f"importTasks/{(await a_failed_task(core)).id}"
    request = tasks.GetImportTaskRequest(name=name)
    seen = await door.tasks.GetImportTask(request, metadata=door.admin)
    again = await retry_task(door, name, etag=seen.etag)
    assert again.state == tasks.ImportTask.STATE_PENDING
    track = await create_track(door)
    await delete_track(door, track.name, track.etag)
    await delete_task(door, name, again.etag)


async def test_the_same_request_is_done_once(door: Door) -> None:
    first = await create_task(door, request_id=KEY)
    await update_task(door, tasks.ImportTask(name=first.name, isrc="USRC12345678"))
    assert await create_task(door, request_id=KEY) == first
    assert await tasks_of(door) == 1

    track = await create_track(door, request_id="another key")
    assert await create_track(door, request_id="another key") == track
    assert await tracks_of(door) == 1


async def test_a_retry_is_done_once(door: Door, core: Core) -> None:
    name = f"importTasks/{(await a_failed_task(core)).id}"
    first = await retry_task(door, name, request_id=KEY)
    assert await retry_task(door, name, request_id=KEY) == first
    assert (await refused(retry_task(door, name))).reason == "STATE_CONFLICT"


async def test_a_request_id_stands_for_one_request(door: Door) -> None:
    await create_task(door, request_id=KEY)
    name = f"importTasks/{uuid7()}"
    for call in (
        create_task(door, request_id=KEY, isrc="USRC12345678"),
        create_track(door, request_id=KEY),
        retry_task(door, name, request_id=KEY),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert await tasks_of(door) == 1


async def test_a_refused_request_leaves_its_id_free(door: Door) -> None:
    assert (await refused(create_task(door, request_id=KEY, isrc="x"))).reason == "INVALID_FIELD"
    assert (await create_task(door, request_id=KEY)).name


async def test_tenants_do_not_share_request_ids(door: Door) -> None:
    stranger = await door.holder("admin", tenant="other")
    mine = await create_task(door, request_id=KEY)
    theirs = await create_task(door, stranger, request_id=KEY)
    assert mine.name != theirs.name
    assert await tasks_of(door) == await tasks_of(door, stranger) == 1


@pytest.mark.parametrize("key", ["x" * 256, "é", "\n", "\x00"])
async def test_a_request_id_is_short_and_printable(door: Door, key: str) -> None:
    for call in (create_task(door, request_id=key), create_track(door, request_id=key)):
        answer = await refused(call)
        assert (answer.code, answer.fields) == (
            StatusCode.INVALID_ARGUMENT,
            {"request_id": "INVALID"},
        )


async def test_a_dry_run_answers_as_usual_and_changes_nothing(door: Door) -> None:
    task, track = await create_task(door), await create_track(door)
    new = await create_task(door, validate_only=True, request_id=KEY)
    assert new.state == tasks.ImportTask.STATE_PENDING
    assert (await create_track(door, "Other", validate_only=True)).title == "Other"
    changed = tasks.ImportTask(name=task.name, isrc="USRC12345678")
    assert (await update_task(door, changed, validate_only=True)).isrc == "USRC12345678"
    renamed = tracks.Track(name=track.name, title="Other")
    assert (await update_track(door, renamed, validate_only=True)).title == "Other"

    assert (await tasks_of(door), await tracks_of(door)) == (1, 1)
    assert await update_task(door, tasks.ImportTask(name=task.name)) == task
    assert await update_track(door, tracks.Track(name=track.name)) == track
    # Nor does it use up the request id.
    assert (await create_task(door, request_id=KEY, isrc="USRC12345678")).isrc


async def test_a_dry_run_is_refused_as_usual(door: Door) -> None:
    answer = await refused(create_task(door, validate_only=True, isrc="x"))
    assert answer.fields == {"import_task.isrc": "INVALID"}
