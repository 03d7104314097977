"""Several operations at once: https://jsonapi.org/ext/atomic/."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
import pytest

from services.api.http.jsonapi.atomic import EXTENSION
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Answer

SPOKEN = f'{MEDIA_TYPE};ext="{EXTENSION}"'
TASKS = "atmos-import-tasks"
UNKNOWN = "01924f3b-ffff-7000-bbbb-00000000dead"


async def _run(client: Client, *operations: object, **headers: str) -> Answer:
    headers = {"Accept": SPOKEN, "Content_Type": SPOKEN} | headers
    body = msgspec.json.encode({"atomic:operations": operations})
    return await client.request("POST", "/operations", body, **headers)


def _add_track(lid: str | None = None, title: object = "Atomic") -> dict[str, Any]:
    data = {"type": "tracks", "attributes": {"title": title}}
    return {"op": "add", "data": data if lid is None else data | {"lid": lid}}


def _add_task(**track: str) -> dict[str, Any]:
    document = new_task("")
    document["data"]["relationships"]["track"]["data"] = {"type": "tracks", **track}
    return {"op": "add", **document}


async def _count(client: Client, type_: str) -> int:
    return int((await client.get(f"/{type_}")).document["meta"]["page"]["total"])


async def test_hundreds_of_tasks_at_once(client: Client) -> None:
    answer = await _run(client, _add_track("t"), *[_add_task(lid="t") for _ in range(300)])
    assert answer.status == 200
    assert answer.headers["Content-Type"] == SPOKEN
    assert answer.document["jsonapi"] == {"version": "1.1", "ext": [EXTENSION]}
    track, *tasks = (result["data"] for result in answer.document["atomic:results"])
    assert len({task["id"] for task in tasks}) == 300
    linked = await client.get(f"/{TASKS}/{tasks[-1]['id']}/relationships/track")
    assert linked.document["data"] == {"type": "tracks", "id": track["id"]}
    assert (await client.get(f"/tracks/{track['id']}")).document["data"] == track


async def test_every_kind_of_operation(client: Client, core: Core) -> None:
    task, other, gone = await core.task(), await core.track(), await core.track()
    href = f"https://domain.com/api/v1/{TASKS}/{task.id}"
    isrc = {"secondaryIsrc": "USRC12345670"}
    answer = await _run(
        client,
        _add_track("new"),
        {"op": "update", "data": {"type": "tracks", "lid": "new", "attributes": {"title": "B"}}},
        {
            "op": "update",
            "href": f"/api/v1/{TASKS}/{task.id}",
            "data": {"type": TASKS, "id": str(task.id), "attributes": isrc},
        },
        {
            "op": "update",
            "ref": {"type": TASKS, "id": str(task.id), "relationship": "track"},
            "data": {"type": "tracks", "lid": "new"},
        },
        {
            "op": "update",
            "href": f"{href}/relationships/track",
            "data": {"type": "tracks", "id": str(other.id)},
        },
        {"op": "remove", "ref": {"type": "tracks", "lid": "new"}},
        {"op": "remove", "href": f"tracks/{gone.id}"},
        {"op": "add", "href": "/api/v1/tracks", "data": _add_track()["data"]},
    )
    assert answer.status == 200, answer.body
    results = answer.document["atomic:results"]
    assert [bool(result) for result in results] == [True, True, True, *[False] * 4, True]
    assert results[1]["data"]["attributes"]["title"] == "B"
    shown = (await client.get(f"/{TASKS}/{task.id}?include=track")).document["data"]
    assert shown["attributes"]["secondaryIsrc"] == "USRC12345670"
    assert shown["relationships"]["track"]["data"]["id"] == str(other.id)
    for id_ in (gone.id, results[0]["data"]["id"]):
        assert (await client.get(f"/tracks/{id_}")).status == 404


async def test_nothing_to_show(client: Client, core: Core) -> None:
    track = await core.track()
    answer = await _run(client, {"op": "remove", "ref": {"type": "tracks", "id": str(track.id)}})
    assert (answer.status, answer.body) == (204, b"")


async def test_all_or_nothing(client: Client, core: Core) -> None:
    task = await core.complete(await core.task("USRC12345678"))
    assert task.target is not None
    before = await _count(client, "tracks")
    track = str(task.target.id)
    link = {"op": "update", "ref": {"type": TASKS, "id": str(task.id), "relationship": "track"}}
    refused: list[tuple[dict[str, Any], int, str, str]] = [
        (_add_task(id=track), 422, "/data/attributes/secondaryIsrc", "already been taken."),
        (_add_task(id=UNKNOWN), 404, "/data/relationships/track", "does not exist."),
        (link | {"data": None}, 422, "/data", "The track field is required."),
        ({"op": "remove", "ref": {"type": "tracks", "id": track}}, 409, "", ""),
        ({"op": "remove", "ref": {"type": "tracks", "id": UNKNOWN}}, 404, "", "does not exist."),
    ]
    for operation, status, pointer, detail in refused:
        if status == 404 and pointer:
            operation["data"]["attributes"]["secondaryIsrc"] = "USRC12345679"
        answer = await _run(client, _add_track(), operation)
        assert answer.status == status, answer.body
        assert answer.headers["Content-Type"] == MEDIA_TYPE
        [(where, what)] = answer.refusals
        assert where == f"/atomic:operations/1{pointer}"
        assert what.endswith(detail)
        assert await _count(client, "tracks") == before


@pytest.mark.parametrize(
    ("operation", "status", "pointer"),
    [
        ("x", 400, ""),
        ({}, 400, ""),
        ({"op": "replace"}, 400, "/op"),
        ({"op": []}, 400, "/op"),
        ({"op": "add"}, 400, "/data"),
        ({"op": "add", "data": []}, 400, "/data"),
        ({"op": "add", "data": {"type": "albums"}}, 400, "/data/type"),
        ({"op": "add", "data": {"type": "records"}}, 403, ""),
        ({"op": "add", "data": {"type": "tracks", "id": UNKNOWN}}, 403, "/data/id"),
        ({"op": "add", "href": "/api/v1/tracks"}, 400, ""),
        ({"op": "add", "data": {"type": "tracks", "lid": 1}}, 400, "/data/lid"),
        ({"op": "add", "data": {"type": "tracks", "lid": None}}, 400, "/data/lid"),
        ({"op": "add", "data": {"type": "tracks", "lid": ""}}, 400, "/data/lid"),
        (
            {"op": "add", "data": {"type": "tracks", "lid": [], "attributes": {"x": 1}}},
            400,
            "/data/attributes",
        ),
        (
            {"op": "add", "data": {"type": "tracks", "attributes": {"x": 1}}},
            400,
            "/data/attributes",
        ),
        ({"op": "add", "href": "/api/v1/tracks", "data": {"type": TASKS}}, 409, "/data/type"),
        (_add_track() | {"href": f"/api/v1/tracks/{UNKNOWN}"}, 400, ""),
        ({"op": "add", "ref": {"type": "tracks", "id": UNKNOWN}}, 400, ""),
        ({"op": "add", "ref": {"type": "tracks", "id": UNKNOWN}, "href": "x"}, 400, ""),
        (_add_task(lid="late"), 400, "/data/relationships/track/data/lid"),
        ({"op": "update", "data": {"type": "tracks"}}, 400, "/data"),
        ({"op": "update", "data": {"type": "tracks", "id": "x"}}, 404, "/data/id"),
        ({"op": "update", "data": {"type": "tracks", "id": 1}}, 400, "/data/id"),
        ({"op": "update", "data": {"type": "tracks", "lid": "late"}}, 400, "/data/lid"),
        ({"op": "update", "href": "/api/v1/tracks"}, 400, ""),
        ({"op": "remove"}, 400, ""),
        ({"op": "remove", "ref": "tracks"}, 400, "/ref"),
        ({"op": "remove", "ref": {}}, 400, "/ref"),
        ({"op": "remove", "ref": {"type": 1}}, 400, "/ref/type"),
        ({"op": "remove", "ref": {"type": "tracks", "id": UNKNOWN, "lid": "x"}}, 400, "/ref"),
        ({"op": "remove", "ref": {"type": "records", "id": UNKNOWN}}, 403, ""),
        ({"op": "remove", "href": 1}, 400, "/href"),
        ({"op": "remove", "href": "http://[x"}, 400, "/href"),
        ({"op": "remove", "href": f"/api/v1/tracks/{UNKNOWN}?include=x"}, 400, "/href"),
        ({"op": "remove", "href": f"/api/v1/tracks/{UNKNOWN}#x"}, 400, "/href"),
        (_add_track() | {"href": "/api/v1/tracks?include=x"}, 400, "/href"),
        ({"op": "remove", "href": f"https://elsewhere.example/tracks/{UNKNOWN}"}, 400, "/href"),
        ({"op": "remove", "href": f"/api/v1/{TASKS}/{UNKNOWN}/track"}, 400, "/href"),
        ({"op": "update", "href": f"/api/v1/{TASKS}/{UNKNOWN}/x/track"}, 400, "/href"),
        (
            {"op": "remove", "ref": {"type": TASKS, "id": UNKNOWN, "relationship": "track"}},
            403,
            "",
        ),
        (
            {"op": "update", "ref": {"type": TASKS, "id": UNKNOWN, "relationship": "record"}},
            403,
            "",
        ),
        (
            {"op": "update", "ref": {"type": TASKS, "id": UNKNOWN, "relationship": "x"}},
            400,
            "/ref/relationship",
        ),
    ],
)
async def test_operations_that_make_no_sense(
    client: Client, operation: object, status: int, pointer: str
) -> None:
    answer = await _run(client, _add_track(), operation)
    assert answer.status == status, answer.body
    assert [where for where, _ in answer.refusals] == [f"/atomic:operations/1{pointer}"]
    assert await _count(client, "tracks") == 0


@pytest.mark.parametrize("base", ["https://elsewhere.example/api/v1", "/api/v2", "tracks:"])
async def test_a_link_that_leads_out_of_the_api(client: Client, base: str) -> None:
    answer = await _run(client, {"op": "remove", "href": f"{base}/tracks/{UNKNOWN}"})
    detail = "The member href must be a link into this API."
    assert (answer.status, answer.refusals) == (400, [("/atomic:operations/0/href", detail)])


async def test_what_is_wrong_is_said_at_once(client: Client) -> None:
    twice = [_add_track("t"), _add_track("t")]
    answer = await _run(client, {"op": "x"}, *twice, {"op": "remove", "ref": {"type": "albums"}})
    assert answer.status == 400
    assert [where for where, _ in answer.refusals] == [
        "/atomic:operations/0/op",
        "/atomic:operations/2/data/lid",
        "/atomic:operations/3/ref/type",
    ]


async def test_what_names_a_refused_resource_is_not_refused_for_it(client: Client) -> None:
    broken = _add_track("t")
    broken["data"]["attributes"]["x"] = 1
    again = {"op": "remove", "ref": {"type": "tracks", "lid": "t"}}
    answer = await _run(client, broken, _add_task(lid="t"), again, _add_task(lid="late"))
    assert [where for where, _ in answer.refusals] == [
        "/atomic:operations/0/data/attributes",
        "/atomic:operations/3/data/relationships/track/data/lid",
    ]


@pytest.mark.parametrize("operations", [None, [], {}, [{}] * 501])
async def test_documents_without_operations(client: Client, operations: object) -> None:
    document = {} if operations is None else {"atomic:operations": operations}
    body = msgspec.json.encode(document)
    answer = await client.request("POST", "/operations", body, Content_Type=SPOKEN)
    pointer = "/" if operations is None else "/atomic:operations"
    detail = "The member atomic:operations must be an array of 1 to 500 operations."
    assert (answer.status, answer.refusals) == (400, [(pointer, detail)])


async def test_the_extension_is_spoken_here_only(client: Client) -> None:
    for content_type in (MEDIA_TYPE, f'{SPOKEN[:-1]} https://example.com/ext"', "application/json"):
        assert (await _run(client, _add_track(), Content_Type=content_type)).status == 415
    profiled = f'{SPOKEN};profile="https://example.com/profile"'
    for accept, status in ((profiled, 200), ("*/*", 200), (f'{MEDIA_TYPE};ext="x"', 406)):
        assert (await _run(client, _add_track(), Accept=accept)).status == status
    body = msgspec.json.encode({"data": _add_track()["data"]})
    shaped = await client.request("POST", "/operations?include=track", body, Content_Type=SPOKEN)
    assert (shaped.status, shaped.refusals[0][0]) == (400, "include")
    elsewhere = await client.request("POST", "/tracks", body, Content_Type=SPOKEN)
    assert elsewhere.status == 415
    assert (await client.get("/operations")).status == 405


async def test_a_body_may_have_a_mebibyte(client: Client) -> None:
    body = msgspec.json.encode({"atomic:operations": [_add_track()]})
    for size, status in ((1024 * 1024, 200), (1024 * 1024 + 1, 413)):
        padded = body + b" " * (size - len(body))
        headers = {"Authorization": f"Bearer {client.token}", "Content-Type": SPOKEN}
        url = "/api/v1/operations"
        async with client.session.post(url, data=BytesIO(padded), headers=headers) as response:
            assert response.status == status


async def test_once(client: Client) -> None:
    operations = [_add_track("t"), _add_task(lid="t")]
    first, again = [await _run(client, *operations, Idempotency_Key="k") for _ in range(2)]
    assert (first.status, first.body) == (200, again.body)
    assert await _count(client, TASKS) == 1
    other = await _run(client, _add_track(title="Other"), Idempotency_Key="k")
    assert (other.status, other.refusals[0][0]) == (422, "Idempotency-Key")


async def test_who_may_not_write_is_not_given_what_was_written(client: Client, core: Core) -> None:
    operations = [_add_track("t"), _add_task(lid="t")]
    assert (await _run(client, *operations, Idempotency_Key="k")).status == 200
    tokens = core.use_cases.tokens
    for scopes, lacking in ((["tasks:write"], "tracks:write"), (["tracks:write"], "tasks:write")):
        other = Client(client.session, await tokens.issue("default", "o", scopes))
        again = await _run(other, *operations, Idempotency_Key="k")
        detail = f"The token lacks the scope {lacking}."
        assert (again.status, again.refusals) == (403, [("", detail)])
    assert await _count(client, TASKS) == 1


async def test_scopes_and_tenants(client: Client, core: Core) -> None:
    track = await core.track()
    tokens = core.use_cases.tokens
    reader = Client(client.session, await tokens.issue("default", "r", ["tracks:read"]))
    answer = await _run(reader, _add_track())
    detail = "The token lacks the scope tracks:write."
    assert (answer.status, answer.refusals) == (403, [("/atomic:operations/0", detail)])
    other = Client(client.session, await tokens.issue("other", "o", ["tracks:write"]))
    for id_ in (track.id, uuid4()):
        gone = await _run(other, {"op": "remove", "ref": {"type": "tracks", "id": str(id_)}})
        detail = "The requested resource does not exist."
        assert (gone.status, gone.refusals) == (404, [("/atomic:operations/0", detail)])
