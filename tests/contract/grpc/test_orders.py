"""order_by of List methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from services.api.domain.lifecycle import Stage
from services.api.use_cases.items import Fields
from stagedoor.v1.import_task_service_pb2 import ListImportTasksRequest
from stagedoor.v1.record_service_pb2 import ListRecordsRequest
from stagedoor.v1.track_service_pb2 import ListTracksRequest
from tests.support.core import a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.core import Core
    from tests.support.door import Door


async def tasks(door: Door, order_by: str, size: int) -> list[str]:
    """The names of all tasks, page by page."""
    names, token = [], ""
    while True:
        request = ListImportTasksRequest(order_by=order_by, page_size=size, page_token=token)
        page = await door.tasks.ListImportTasks(request, metadata=door.admin)
        names += [task.name for task in page.import_tasks]
        if not (token := page.next_page_token):
            return names


def names(*ids: UUID) -> list[str]:
    return [f"importTasks/{id_}" for id_ in ids]


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_tasks_come_in_the_order_that_is_asked_for(door: Door, core: Core, size: int) -> None:
    a, b, c = [(await core.task(f"USRC1234567{n}")).id for n in range(3)]
    await core.claim(b, Stage.DOWNLOAD)
    await core.claim(a, Stage.DOWNLOAD)
    for order_by, expected in {
        "": names(a, b, c),
        "create_time": names(a, b, c),
        "create_time desc": names(c, b, a),
        "update_time": names(c, b, a),
        "update_time desc": names(a, b, c),
        "state": names(a, b, c),
        "state desc": names(c, b, a),
        "state desc, update_time": names(c, b, a),
        "state,create_time desc": names(b, a, c),
    }.items():
        assert await tasks(door, order_by, size) == expected, order_by


async def test_tracks_can_be_ordered_by_their_change(door: Door, core: Core) -> None:
    first, second = await core.track(title="A"), await core.track(title="B")
    fields = Fields(title="A2")
    await core.use_cases.tracks.update(a_principal(), first.id, fields)
    for order_by, expected in {"update_time": ["B", "A2"], "update_time desc": ["A2", "B"]}.items():
        request = ListTracksRequest(order_by=order_by)
        page = await door.tracks.ListTracks(request, metadata=door.admin)
        assert [track.title for track in page.tracks] == expected
    assert second.version == 1


async def test_records_can_be_ordered_newest_first(door: Door, core: Core) -> None:
    made = [await core.complete(await core.task(f"USRC1234567{n}")) for n in range(2)]
    request = ListRecordsRequest(order_by="create_time desc")
    page = await door.records.ListRecords(request, metadata=door.admin)
    expected = [f"records/{task.record_id}" for task in reversed(made)]
    assert [record.name for record in page.records] == expected


async def test_a_token_opens_only_its_own_order(door: Door, core: Core) -> None:
    for title in "AB":
        await core.track(title=title)
    request = ListTracksRequest(order_by="update_time", page_size=1)
    token = (await door.tracks.ListTracks(request, metadata=door.admin)).next_page_token
    assert token
    for order_by in ("", "update_time desc", "create_time"):
        request = ListTracksRequest(order_by=order_by, page_token=token)
        answer = await refused(door.tracks.ListTracks(request, metadata=door.admin))
        assert answer.fields == {"page_token": "INVALID"}


async def test_an_order_that_is_not_understood_is_refused(door: Door) -> None:
    for call in (
        door.tasks.ListImportTasks(ListImportTasksRequest(order_by="isrc"), metadata=door.admin),
        door.tracks.ListTracks(ListTracksRequest(order_by="state"), metadata=door.admin),
        door.records.ListRecords(ListRecordsRequest(order_by="update_time"), metadata=door.admin),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_QUERY")
        assert answer.fields == {"order_by": "INVALID"}
