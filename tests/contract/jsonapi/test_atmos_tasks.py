"""Import tasks over HTTP: every route, relationship and refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Failed, Refused, error
from services.api.domain.turns import Due
from services.api.http.jsonapi.resource import timestamp
from tests.support.core import a_principal
from tests.support.jsonapi import new_task

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.jsonapi import Client

TASKS = "/atmos-import-tasks"
URL = "https://domain.com/api/v1/atmos-import-tasks"
DESCRIBED = {"describedby": "https://domain.com/api/v1/openapi.json"}
UNKNOWN = "01924f3b-ffff-7000-bbbb-00000000dead"


def _change(task: Task, **members: Any) -> dict[str, Any]:
    return {"data": {"type": "atmos-import-tasks", "id": str(task.id), **members}}


# Create


async def test_everything_required(client: Client) -> None:
    answer = await client.send("POST", TASKS, {"data": {"type": "atmos-import-tasks"}})
    assert answer.status == 422
    assert answer.refusals == [
        ("/data/attributes/url", "The url field is required."),
        ("/data/attributes/secondaryIsrc", "The secondary isrc field is required."),
        ("/data/relationships/track", "The track field is required."),
    ]


@pytest.mark.parametrize(
    ("attribute", "value", "detail"),
    [
        ("url", None, "The url field is required."),
        ("url", "http://cdn.example.com/a.mp4", "The url field must be an HTTPS URL."),
        ("url", "nonsense", "The url field must be a valid URL."),
        ("url", ["https://cdn.example.com/a"], "The url field must be a valid URL."),
        (
            "url",
            "https://cdn.example.com/" + "a" * 2025,
            "The url field must not be greater than 2048 characters.",
        ),
        (
            "url",
            "https://10.0.0.1/a",
            "The url field must not lead to a private or reserved address.",
        ),
        ("url", "https://cdn.example.com:8443/a", "The url field must not use this port."),
        ("secondaryIsrc", "", "The secondary isrc field is required."),
        ("secondaryIsrc", "USRC1234567", "The secondary isrc field format is invalid."),
        ("secondaryIsrc", 12, "The secondary isrc field format is invalid."),
        ("declaredMd5", "d41d8cd9", "The declared md5 field format is invalid."),
        ("declaredMd5", {}, "The declared md5 field format is invalid."),
    ],
)
async def test_wrong_values(client: Client, attribute: str, value: object, detail: str) -> None:
    answer = await client.create_task(await client.create_track(), **{attribute: value})
    assert answer.status == 422
    assert answer.refusals == [(f"/data/attributes/{attribute}", detail)]


async def test_every_wrong_value_is_said_at_once(client: Client) -> None:
    track = await client.create_track()
    answer = await client.create_task(track, url="x", secondaryIsrc="x", declaredMd5="x")
    assert answer.status == 422
    assert [where for where, _ in answer.refusals] == [
        "/data/attributes/url",
        "/data/attributes/secondaryIsrc",
        "/data/attributes/declaredMd5",
    ]


@pytest.mark.parametrize("track", [UNKNOWN, "no-uuid"])
async def test_a_track_that_does_not_exist(client: Client, track: str) -> None:
    answer = await client.create_task(track)
    assert answer.status == 404
    where = "/data/relationships/track"
    assert answer.refusals == [(where, "The related resource does not exist.")]


async def test_a_track_of_another_type(client: Client) -> None:
    document = new_task(str(uuid4()))
    document["data"]["relationships"]["track"]["data"]["type"] = "records"
    answer = await client.send("POST", TASKS, document)
    assert answer.status == 422
    detail = "The track field must be a to-one relationship containing tracks resources."
    assert answer.refusals == [("/data/relationships/track", detail)]


async def test_what_the_system_sets_is_ignored(client: Client) -> None:
    track = await client.create_track()
    answer = await client.create_task(track, status="completed", byteSize=1, createdAt="x")
    assert answer.status == 201
    assert answer.document["data"]["attributes"]["status"] == "pending"


async def test_unknown_attributes_and_own_ids(client: Client, core: Core) -> None:
    task = await core.task()
    answer = await client.create_task(str(uuid4()), artist="x")
    where = "/data/attributes"
    assert answer.status == 400
    assert answer.refusals == [(where, "The field artist is not a supported attribute.")]
    answer = await client.send("POST", TASKS, _change(task))
    detail = "Resource type atmos-import-tasks does not support client-generated IDs."
    assert (answer.status, answer.refusals) == (403, [("/data/id", detail)])


# Update


async def test_clearing_the_checksum(client: Client, core: Core) -> None:
    task = await core.task()
    for md5 in ("D41D8CD98F00B204E9800998ECF8427E", None):
        change = _change(task, attributes={"declaredMd5": md5})
        answer = await client.send("PATCH", f"{TASKS}/{task.id}", change)
        assert answer.status == 200
        shown = answer.document["data"]["attributes"]
        assert shown["declaredMd5"] == (md5 and md5.lower())
        assert shown["url"] == task.source_uri


async def test_what_is_required_cannot_be_cleared(client: Client, core: Core) -> None:
    task = await core.task()
    change = _change(
        task,
        attributes={"url": None, "secondaryIsrc": None},
        relationships={"track": {"data": None}},
    )
    answer = await client.send("PATCH", f"{TASKS}/{task.id}", change)
    assert answer.status == 422
    assert answer.refusals == [
        ("/data/attributes/url", "The url field is required."),
        ("/data/attributes/secondaryIsrc", "The secondary isrc field is required."),
        ("/data/relationships/track", "The track field is required."),
    ]


async def test_updating_another_task_than_the_urls(client: Client, core: Core) -> None:
    task, other = await core.task(), await core.task()
    answer = await client.send("PATCH", f"{TASKS}/{task.id}", _change(other))
    detail = f"Resource id {other.id} is not supported by this endpoint."
    assert (answer.status, answer.refusals) == (409, [("/data/id", detail)])


async def test_a_taken_isrc_on_update(client: Client, core: Core) -> None:
    await core.complete(await core.task("USRC12345678"))
    task = await core.task("USRC12345679")
    change = _change(task, attributes={"secondaryIsrc": "usrc12345678"})
    answer = await client.send("PATCH", f"{TASKS}/{task.id}", change)
    assert answer.status == 422
    where = "/data/attributes/secondaryIsrc"
    assert answer.refusals == [(where, "The secondary isrc has already been taken.")]


# Relationships


async def test_related_track(client: Client, core: Core) -> None:
    task = await core.task()
    assert task.target is not None
    track = str(task.target.id)
    related = await client.get(f"{TASKS}/{task.id}/track")
    assert related.status == 200
    assert related.document["links"] == {"self": f"{URL}/{task.id}/track", **DESCRIBED}
    alone = await client.get(f"/tracks/{track}")
    assert related.document["data"] == alone.document["data"]
    linkage = await client.get(f"{TASKS}/{task.id}/relationships/track")
    assert linkage.status == 200
    assert list(linkage.document.items()) == [
        ("data", {"type": "tracks", "id": track}),
        ("jsonapi", {"version": "1.0"}),
        (
            "links",
            {
                "related": f"{URL}/{task.id}/track",
                "self": f"{URL}/{task.id}/relationships/track",
                **DESCRIBED,
            },
        ),
    ]


async def test_related_record(client: Client, core: Core) -> None:
    task = await core.task()
    for path in ("record", "relationships/record"):
        answer = await client.get(f"{TASKS}/{task.id}/{path}")
        assert (answer.status, answer.document["data"]) == (200, None)
    record = str((await core.complete(task)).record_id)
    related = await client.get(f"{TASKS}/{task.id}/record")
    assert related.document["data"] == (await client.get(f"/records/{record}")).document["data"]
    linkage = await client.get(f"{TASKS}/{task.id}/relationships/record")
    assert linkage.document["data"] == {"type": "records", "id": record}


async def test_linking_another_track(client: Client, core: Core) -> None:
    task, track = await core.task(), await core.track()
    path = f"{TASKS}/{task.id}/relationships/track"
    linkage = {"type": "tracks", "id": str(track.id)}
    answer = await client.send("PATCH", path, {"data": linkage})
    assert (answer.status, answer.document["data"]) == (200, linkage)
    assert (await client.get(path)).document == answer.document


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        (None, 422, "The track field is required."),
        (
            {"type": "tracks", "id": str(uuid4())},
            404,
            "The related resource does not exist.",
        ),
    ],
)
async def test_linking_nothing(
    client: Client, core: Core, data: object, status: int, detail: str
) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}/relationships/track"
    answer = await client.send("PATCH", path, {"data": data})
    assert (answer.status, answer.refusals) == (status, [("/data", detail)])


async def test_the_record_is_not_the_clients_to_link(client: Client, core: Core) -> None:
    task = await core.task()
    path = f"{TASKS}/{task.id}/relationships/record"
    answer = await client.send("PATCH", path, {"data": None})
    assert answer.status == 403
    assert answer.refusals == [("", "The record relationship is read-only.")]


# Retry, and what meta tells


async def _refuse(core: Core, task: Task, **fields: str) -> None:
    run = await core.claim(task.id, Stage.DOWNLOAD)
    problems = (
        error("not_found", "The origin answered 404.", **fields),
        {**error("odd", "Odd."), "severity": "warning"},
    )
    assert await core.use_cases.runs.report(task.id, run, Refused(problems=problems))


async def test_errors_and_warnings(client: Client, core: Core) -> None:
    task = await core.task()
    await _refuse(core, task, measured="404", allowed="200")
    data = (await client.get(f"{TASKS}/{task.id}")).document["data"]
    assert data["attributes"]["status"] == "download_failed"
    assert data["attributes"]["validationErrors"] == [
        {
            "code": "not_found",
            "detail": "The origin answered 404.",
            "severity": "error",
            "location": None,
            "spec": None,
            "measured": "404",
            "allowed": "200",
        }
    ]
    assert data["meta"]["failure"] == {"code": "not_found", "detail": "The origin answered 404."}
    assert [each["code"] for each in data["meta"]["warnings"]] == ["odd"]


async def test_retry(client: Client, core: Core) -> None:
    task = await core.task()
    refused = await client.request("POST", f"{TASKS}/{task.id}/retry")
    assert refused.status == 409
    detail = "Only a failed import can be retried; this one is pending."
    assert refused.refusals == [("", detail)]
    await _refuse(core, task)
    answer = await client.request("POST", f"{TASKS}/{task.id}/retry")
    assert answer.status == 200
    data = answer.document["data"]
    assert data["attributes"]["status"] == "pending"
    assert data["attributes"]["validationErrors"] is None
    assert data["meta"]["generation"] == 2
    assert data["meta"]["failure"] is None


async def test_progress_and_the_next_attempt(client: Client, core: Core) -> None:
    task = await core.task()

    async def meta() -> Any:
        return (await client.get(f"{TASKS}/{task.id}")).document["data"]["meta"]

    assert await meta() == {
        "progress": None,
        "attempts": 0,
        "generation": 1,
        "priority": "interactive",
        "nextAttemptAt": None,
        "failure": None,
        "warnings": [],
        "validationReport": None,
    }
    run = await core.claim(task.id, Stage.DOWNLOAD)
    await core.use_cases.runs.progress(task.id, run, 5, 10)
    running = await meta()
    assert running["attempts"] == 1
    assert running["progress"] == {"stage": "download", "doneBytes": 5, "totalBytes": 10}
    failed = Failed(problem=error("timeout", "The origin fell silent."))
    assert await core.use_cases.runs.report(task.id, run, failed)
    waiting = await meta()
    assert waiting["failure"] == {"code": "timeout", "detail": "The origin fell silent."}
    assert waiting["progress"] is None
    task = await core.use_cases.import_tasks.get(a_principal(), task.id)
    assert task.due_at is not None
    assert waiting["nextAttemptAt"] == timestamp(task.due_at)
    due = Due(
        task_id=task.id,
        tenant=task.tenant,
        stage=Stage.DOWNLOAD,
        priority=task.priority,
        generation=1,
        version=task.version,
        due_at=task.due_at,
        published=0,
    )
    await core.use_cases.dispatch.published([due])
    assert (await meta())["nextAttemptAt"] is None
    await core.claim(task.id, Stage.DOWNLOAD)
    assert (await meta())["nextAttemptAt"] is None


@pytest.mark.parametrize("id_", ["1", "no-uuid", UNKNOWN, "%00", "%FF", "..%2F"])
async def test_what_does_not_exist(client: Client, id_: str) -> None:
    change = {"data": {"type": "atmos-import-tasks", "id": id_}}
    for method, path in (
        ("GET", ""),
        ("GET", "/track"),
        ("GET", "/record"),
        ("GET", "/relationships/track"),
        ("GET", "/relationships/record"),
        ("DELETE", ""),
        ("POST", "/retry"),
    ):
        answer = await client.request(method, f"{TASKS}/{id_}{path}")
        assert (answer.status, answer.document["errors"][0]["status"]) == (404, "404")
    assert (await client.send("PATCH", f"{TASKS}/{id_}", change)).status == 404
