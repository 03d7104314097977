"""What comes along, what is left out, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from services.api.domain.lifecycle import Stage
from services.api.domain.principal import SCOPES
from services.api.domain.runs import Refused, error
from tests.support.jsonapi import Client, new_task

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core

TASKS = "/atmos-import-tasks"


def _identities(documents: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["type"], each["id"]) for each in documents]


def _track_of(task: Task) -> tuple[str, str]:
    assert task.target is not None
    return "tracks", str(task.target.id)


# include


async def test_tasks_with_their_tracks_and_records(client: Client, core: Core) -> None:
    done = await core.complete(await core.task())
    pending = await core.task("USRC12345679")
    answer = await client.get(f"{TASKS}?include=track,record")
    record = ("records", str(done.record_id))
    assert _identities(answer.document["included"]) == [_track_of(done), _track_of(pending), record]
    first, second = (item["relationships"] for item in answer.document["data"])
    assert first["record"]["data"] == {"type": record[0], "id": record[1]}
    assert second["record"]["data"] is None
    assert (second["track"]["data"]["type"], second["track"]["data"]["id"]) == _track_of(pending)
    assert list(answer.document) == ["data", "included", "meta", "jsonapi", "links"]


async def test_what_several_share_comes_once(client: Client) -> None:
    track = await client.create_track()
    for _ in range(3):
        await client.create_task(track)
    answer = await client.get(f"{TASKS}?include=track")
    assert _identities(answer.document["included"]) == [("tracks", track)]


async def test_records_with_their_tasks(client: Client, core: Core) -> None:
    task = await core.complete(await core.task())
    for path in ("/records", f"/records/{task.record_id}", f"{TASKS}/{task.id}/record"):
        answer = await client.get(f"{path}?include=importTask")
        assert _identities(answer.document["included"]) == [("atmos-import-tasks", str(task.id))]
        assert "data" not in answer.document["included"][0]["relationships"]["record"]


async def test_include_where_a_task_is_written(client: Client, core: Core) -> None:
    track = await client.create_track()
    created = await client.send("POST", f"{TASKS}?include=track", new_task(track))
    assert created.status == 201
    assert _identities(created.document["included"]) == [("tracks", track)]
    data = created.document["data"]
    change = {"data": {"type": data["type"], "id": data["id"]}}
    path = f"{TASKS}/{data['id']}"
    changed = await client.send("PATCH", f"{path}?include=track", change)
    assert _identities(changed.document["included"]) == [("tracks", track)]
    id_ = UUID(data["id"])
    run = await core.claim(id_, Stage.DOWNLOAD)
    refused = Refused(problems=(error("not_found", "The origin answered 404."),))
    assert await core.use_cases.runs.report(id_, run, refused)
    again = await client.request("POST", f"{path}/retry?include=track")
    assert _identities(again.document["included"]) == [("tracks", track)]


async def test_nothing_to_include(client: Client, core: Core) -> None:
    task = await core.task()
    for parameter in ("include=record", "include="):
        answer = await client.get(f"{TASKS}/{task.id}?{parameter}")
        assert answer.document["included"] == []
    assert "included" not in (await client.get(f"{TASKS}/{task.id}")).document
    answer = await client.get(f"{TASKS}/{task.id}/record?include=track")
    assert (answer.document["data"], answer.document["included"]) == (None, [])


async def test_the_record_of_a_task_that_runs_again_can_be_included(
    client: Client, core: Core
) -> None:
    task = await core.complete(await core.task())
    path = f"{TASKS}/{task.id}"
    change = {"url": "https://cdn.example.com/other.wav"}
    data = {"type": "atmos-import-tasks", "id": str(task.id), "attributes": change}
    assert (await client.send("PATCH", path, {"data": data})).status == 200
    document = (await client.get(f"{path}?include=record")).document
    assert document["data"]["attributes"]["status"] == "pending"
    assert _identities(document["included"]) == [("records", str(task.record_id))]


async def test_what_may_not_be_read_is_not_included(client: Client, core: Core) -> None:
    await core.complete(await core.task())
    token = await core.use_cases.tokens.issue("default", "tasks", ["tasks:read"])
    reader = Client(client.session, token)
    assert (await reader.get(TASKS)).status == 200
    for name, scope in (("track", "tracks:read"), ("record", "records:read")):
        answer = await reader.get(f"{TASKS}?include={name}")
        assert (answer.status, answer.refusals) == (
            403,
            [("", f"The token lacks the scope {scope}.")],
        )


# fields


async def test_only_the_fields_asked_for(client: Client, core: Core) -> None:
    task = await core.task()
    query = "include=track&fields[atmos-import-tasks]=status,track&fields[tracks]=title"
    for path in (TASKS, f"{TASKS}/{task.id}"):
        document = (await client.get(f"{path}?{query}")).document
        data = document["data"] if isinstance(document["data"], dict) else document["data"][0]
        assert data["attributes"] == {"status": "pending"}
        assert list(data["relationships"]) == ["track"]
        assert document["included"][0]["attributes"] == {"title": "A track"}


async def test_no_fields_at_all(client: Client, core: Core) -> None:
    task = await core.task()
    data = (await client.get(f"{TASKS}/{task.id}?fields[atmos-import-tasks]=")).document["data"]
    assert list(data) == ["type", "id", "links", "meta"]


# links


async def test_links_keep_every_parameter(client: Client, core: Core) -> None:
    task = await core.task()
    kept = "include=track&fields%5Btracks%5D=title&sort=-createdAt&filter%5Bstatus%5D=pending"
    links = (await client.get(f"{TASKS}?{kept}&page[size]=1")).document["links"]
    base = "https://domain.com/api/v1/atmos-import-tasks"
    assert links["first"] == f"{base}?{kept}&page%5Bnumber%5D=1&page%5Bsize%5D=1"
    one = (await client.get(f"{TASKS}/{task.id}?include=track")).document
    assert one["links"]["self"] == f"{base}/{task.id}?include=track"
    assert one["data"]["links"]["self"] == f"{base}/{task.id}"


# sort


async def test_orders(client: Client, core: Core) -> None:
    tasks = [await core.task(f"USRC1234567{n}") for n in range(3)]
    first, second, third = (str(task.id) for task in tasks)
    await core.complete(tasks[0])
    for sort, expected in {
        "createdAt": [first, second, third],
        "-createdAt": [third, second, first],
        "updatedAt": [second, third, first],
        "-updatedAt": [first, third, second],
        "status,-createdAt": [first, third, second],
        "-status,createdAt": [second, third, first],
    }.items():
        document = (await client.get(f"{TASKS}?sort={sort}")).document
        assert [each["id"] for each in document["data"]] == expected, sort
        pages = [
            (await client.get(f"{TASKS}?sort={sort}&page[size]=1&page[number]={n}")).document
            for n in (1, 2, 3)
        ]
        assert [page["data"][0]["id"] for page in pages] == expected, sort


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("include=artist", "include", "Include path artist is not allowed."),
        ("include=track.tasks", "include", "Include path track.tasks is not allowed."),
        ("fields[albums]=a", "fields", "Resource type albums is not recognised."),
        ("fields[tracks]=x", "fields", "Sparse field set tracks.x is not allowed."),
        ("sort=url,-x", "sort", "Sort parameters url, x are not allowed."),
    ],
)
async def test_unknown_names(client: Client, query: str, parameter: str, detail: str) -> None:
    answer = await client.get(f"{TASKS}?{query}")
    assert (answer.status, answer.refusals) == (400, [(parameter, detail)])


async def test_other_tenants_share_nothing(client: Client, core: Core) -> None:
    await core.complete(await core.task())
    other = Client(client.session, await core.use_cases.tokens.issue("other", "test", SCOPES))
    document = (await other.get(f"{TASKS}?include=track,record")).document
    assert (document["data"], document["included"]) == ([], [])
