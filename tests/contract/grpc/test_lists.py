"""Pages and filters of List methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from services.api.domain.lifecycle import Stage
from stagedoor.v1.audit_service_pb2 import ListAuditEntriesRequest
from stagedoor.v1.audit_service_pb2_grpc import AuditServiceStub
from stagedoor.v1.import_task_service_pb2 import (
    ListImportTasksRequest,
    ListImportTasksResponse,
)
from stagedoor.v1.record_service_pb2 import ListRecordsRequest
from stagedoor.v1.track_service_pb2 import ListTracksRequest, ListTracksResponse
from tests.support.core import a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door, Metadata


@pytest.fixture
async def titles(core: Core) -> list[str]:
    """Five tracks."""
    made = [f"Track {n}" for n in range(5)]
    for title in made:
        await core.track(title=title)
    return made


async def page(
    door: Door, size: int = 0, token: str = "", skip: int = 0, who: Metadata | None = None
) -> ListTracksResponse:
    request = ListTracksRequest(page_size=size, page_token=token, skip=skip)
    return await door.tracks.ListTracks(request, metadata=who or door.admin)


async def tasks(door: Door, filter_: str = "", **more: Any) -> ListImportTasksResponse:
    request = ListImportTasksRequest(filter=filter_, page_size=1, **more)
    return await door.tasks.ListImportTasks(request, metadata=door.admin)


async def selected(door: Door, filter_: str) -> int:
    return (await tasks(door, filter_)).total_size


async def test_an_empty_list_is_an_answer(door: Door) -> None:
    assert await page(door) == ListTracksResponse()


async def test_pages_follow_each_other_to_the_end(door: Door, titles: list[str]) -> None:
    seen, token, sizes = [], "", []
    while True:
        answer = await page(door, 2, token)
        assert answer.total_size == 5
        seen += [track.title for track in answer.tracks]
        sizes.append(len(answer.tracks))
        if not (token := answer.next_page_token):
            break
    assert (seen, sizes) == (titles, [2, 2, 1])


async def test_the_last_full_page_has_no_successor(door: Door, titles: list[str]) -> None:
    answer = await page(door, len(titles))
    assert len(answer.tracks) == 5
    assert answer.next_page_token == ""


async def test_a_track_made_meanwhile_moves_no_page(
    door: Door, core: Core, titles: list[str]
) -> None:
    first = await page(door, 3)
    await core.track(title="Later")
    second = await page(door, 3, first.next_page_token)
    assert [track.title for track in second.tracks] == [*titles[3:], "Later"]


async def test_skip_counts_from_the_token(door: Door, titles: list[str]) -> None:
    assert [t.title for t in (await page(door, 2, skip=3)).tracks] == titles[3:]
    first = await page(door, 1)
    assert [t.title for t in (await page(door, 1, first.next_page_token, 2)).tracks] == titles[3:4]
    assert (await page(door, 2, skip=2**31 - 1)).total_size == 5


async def test_the_default_is_twenty_and_the_most_a_hundred(door: Door, core: Core) -> None:
    for n in range(101):
        await core.track(title=str(n))
    assert len((await page(door)).tracks) == 20
    most = await page(door, 2**31 - 1)
    assert len(most.tracks) == 100
    assert [t.title for t in (await page(door, token=most.next_page_token)).tracks] == ["100"]


async def test_negative_numbers_are_refused(door: Door) -> None:
    for parameter, call in (("page_size", page(door, -1)), ("skip", page(door, skip=-1))):
        answer = await refused(call)
        assert answer.code is StatusCode.INVALID_ARGUMENT
        assert (answer.reason, answer.fields) == ("INVALID_QUERY", {parameter: "INVALID"})


@pytest.mark.usefixtures("titles")
async def test_a_token_opens_only_its_own_list(door: Door, core: Core) -> None:
    for n in range(2):
        await core.task(f"USRC1234567{n}")
    mine = (await page(door, 1)).next_page_token
    all_tasks = (await tasks(door)).next_page_token
    pending = (await tasks(door, "state = PENDING")).next_page_token
    assert mine
    assert all_tasks
    assert pending

    stranger = await door.holder("tracks:read", tenant="other")
    for call in (
        page(door, 1, all_tasks),
        page(door, 1, mine, who=stranger),
        tasks(door, page_token=pending),
        tasks(door, "state = COMPLETED", page_token=pending),
        tasks(door, "state = PENDING", page_token=all_tasks),
    ):
        answer = await refused(call)
        assert answer.code is StatusCode.INVALID_ARGUMENT
        assert answer.fields == {"page_token": "INVALID"}


async def test_no_token_opens_the_list_of_another_tenant(door: Door, core: Core) -> None:
    for n in range(2):
        await core.complete(await core.task(f"USRC1234567{n}"))
    stranger, audit = await door.holder("admin", tenant="other"), AuditServiceStub(door.channel)
    lists: dict[Any, Any] = {
        door.tasks.ListImportTasks: ListImportTasksRequest(page_size=1),
        door.tracks.ListTracks: ListTracksRequest(page_size=1),
        door.records.ListRecords: ListRecordsRequest(page_size=1),
        audit.ListAuditEntries: ListAuditEntriesRequest(page_size=1),
    }
    await door.holder("admin")  # a second entry for the audit log
    for call, request in lists.items():
        request.page_token = (await call(request, metadata=door.admin)).next_page_token
        assert request.page_token
        await call(request, metadata=door.admin)
        answer = await refused(call(request, metadata=stranger))
        assert answer.fields == {"page_token": "INVALID"}, request


@pytest.mark.usefixtures("titles")
@pytest.mark.parametrize("token", ["x", "=", "é", "A" * 38, "A" * 40, "\x00", "-" * 10_000])
async def test_junk_is_no_token(door: Door, token: str) -> None:
    assert (await refused(page(door, 1, token))).fields == {"page_token": "INVALID"}


@pytest.mark.usefixtures("titles")
async def test_a_token_with_a_changed_letter_is_no_token(door: Door) -> None:
    token = (await page(door, 1)).next_page_token
    for at in range(len(token)):
        other = token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]
        assert (await refused(page(door, 1, other))).reason == "INVALID_QUERY"


async def test_tasks_are_found_by_state_target_and_name(door: Door, core: Core) -> None:
    pending, downloading = [await core.task(f"USRC1234567{n}") for n in range(2)]
    await core.claim(downloading.id, Stage.DOWNLOAD)
    assert pending.target is not None
    target = f'"tracks/{pending.target.id}"'
    for filter_, expected in {
        "": 2,
        "state = PENDING": 1,
        "state = STATE_PENDING": 1,
        'state="DOWNLOADING"': 1,
        "state:PENDING": 1,
        "state = PENDING OR state = DOWNLOADING": 2,
        "state = COMPLETED": 0,
        f"target = {target}": 1,
        f"target = {target} AND state = DOWNLOADING": 0,
        f"state = PENDING OR state = DOWNLOADING AND target = {target}": 1,
        f"name = importTasks/{pending.id}": 1,
        f'name = "importTasks/{pending.id}" OR name = "importTasks/{downloading.id}"': 2,
        "state = PENDING AND state = DOWNLOADING": 0,
    }.items():
        assert await selected(door, filter_) == expected, filter_


async def test_a_filtered_list_has_pages_too(door: Door, core: Core) -> None:
    made = [await core.task(f"USRC1234567{n}") for n in range(2)]
    first = await tasks(door, "state = PENDING")
    second = await tasks(door, "state = PENDING", page_token=first.next_page_token)
    names = [task.name for answer in (first, second) for task in answer.import_tasks]
    assert names == [f"importTasks/{task.id}" for task in made]
    assert second.next_page_token == ""


@pytest.mark.parametrize(
    "filter_",
    [
        "state",
        "state =",
        "= PENDING",
        "state = NOPE",
        "state = pending",
        "state = *",
        "state = (PENDING OR state = COMPLETED)",
        "state < PENDING",
        "-state = PENDING",
        "state = PENDING DOWNLOADING",
        "state = PENDING AND",
        "state = PENDING OR target = x",
        "NOT state = PENDING",
        "state != PENDING",
        'state = "PENDING',
        "due_at = x",
        "target = creators/01890a5d-ac96-774b-bcce-b302099a8057",
        "name = x",
        "\x00",
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(door: Door, filter_: str) -> None:
    answer = await refused(tasks(door, filter_))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert (answer.reason, answer.fields) == ("INVALID_QUERY", {"filter": "INVALID"})


async def test_nobody_lists_what_is_another_tenant_s(door: Door, core: Core) -> None:
    await core.track(a_principal("other"))
    assert (await page(door)).total_size == 0
