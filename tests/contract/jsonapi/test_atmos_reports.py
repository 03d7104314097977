"""Validation reports and delivery profiles over HTTP, and what is no Atmos task."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import PACKED, a_principal
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Answer, Client

TASKS, BASE = "/atmos-import-tasks", "https://domain.com/api/v1"
ATOMIC = 'application/vnd.api+json;ext="https://jsonapi.org/ext/atomic"'


async def fetch(client: Client, path: str, **headers: str) -> Answer:
    return await client.request("GET", path, None, **headers)


async def test_the_report_is_what_was_written(client: Client, core: Core) -> None:
    task = await core.complete(await core.task(), PACKED)
    for path in (f"{TASKS}/{task.id}", f"/records/{task.record_id}"):
        shown = (await client.get(path)).document["data"]["meta"]["validationReport"]
        assert shown == f"{BASE}{path}/validation-report"
        answer = await fetch(client, f"{path}/validation-report")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.body == gzip.decompress(PACKED)
        again = await fetch(
            client, f"{path}/validation-report", If_None_Match=answer.headers["ETag"]
        )
        assert (again.status, again.body) == (304, b"")


async def test_there_is_none_before_a_validation(client: Client, core: Core) -> None:
    task = await core.complete(await core.task())
    for path in (f"{TASKS}/{task.id}", f"/records/{task.record_id}"):
        assert (await client.get(path)).document["data"]["meta"]["validationReport"] is None
        answer = await fetch(client, f"{path}/validation-report")
        assert (answer.status, answer.headers["Content-Type"]) == (404, MEDIA_TYPE)


async def test_it_is_json_and_nothing_else(client: Client, core: Core) -> None:
    path = f"{TASKS}/{(await core.complete(await core.task(), PACKED)).id}/validation-report"
    assert (await fetch(client, path, Accept=MEDIA_TYPE)).status == 406
    assert (await fetch(client, f"{path}?x=1")).status == 400


async def test_a_profile_is_chosen_and_changed(client: Client) -> None:
    made = await client.create_task(await client.create_track(), deliveryProfile="apple-music")
    data = made.document["data"]
    assert data["attributes"]["deliveryProfile"] == "apple-music"
    change = {"type": data["type"], "id": data["id"], "attributes": {"deliveryProfile": None}}
    changed = await client.send("PATCH", f"{TASKS}/{data['id']}", {"data": change})
    assert changed.document["data"]["attributes"]["deliveryProfile"] is None
    assert changed.document["data"]["meta"]["generation"] == 1


@pytest.mark.parametrize("profile", ["nope", 5])
async def test_an_unknown_profile_is_refused(client: Client, profile: object) -> None:
    answer = await client.create_task(await client.create_track(), deliveryProfile=profile)
    detail = "The delivery profile field must be the name of a delivery profile."
    assert (answer.status, answer.refusals) == (
        422,
        [("/data/attributes/deliveryProfile", detail)],
    )


@pytest.mark.parametrize("seconds", [0, -1, True, "5", 86_401, 1e-9, 10**400])
async def test_a_length_is_more_than_nothing(client: Client, seconds: object) -> None:
    track = {"type": "tracks", "attributes": {"title": "Song", "durationSeconds": seconds}}
    body = json.dumps({"data": track}).encode()
    answer = await client.request("POST", "/tracks", body, Content_Type=MEDIA_TYPE)
    assert answer.status == 422
    assert [where for where, _ in answer.refusals] == ["/data/attributes/durationSeconds"]


async def test_a_length_is_kept(client: Client) -> None:
    track = {"type": "tracks", "attributes": {"title": "Song", "durationSeconds": 215.04}}
    made = (await client.send("POST", "/tracks", {"data": track})).document["data"]
    assert made["attributes"]["durationSeconds"] == 215.04


async def test_only_atmos_tasks_are_here(client: Client, core: Core) -> None:
    atmos = await core.task()
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav", master_type="cd")
    cd = await core.use_cases.import_tasks.create(a_principal(), fields)
    page = (await client.get(TASKS)).document
    assert [each["id"] for each in page["data"]] == [str(atmos.id)]
    assert page["meta"]["page"]["total"] == 1
    filtered = (await client.get(f"{TASKS}?filter[status]=pending&filter[id]={cd.id}")).document
    assert filtered["data"] == []

    path, ref = f"{TASKS}/{cd.id}", {"type": "atmos-import-tasks", "id": str(cd.id)}
    gone = [
        await client.get(path),
        await fetch(client, f"{path}/events", Accept="text/event-stream"),
        await fetch(client, f"{path}/validation-report"),
        await client.send("PATCH", path, {"data": {**ref, "attributes": {}}}),
        await client.request("POST", f"{path}/retry"),
        await client.delete(path),
    ]
    assert {answer.status for answer in gone} == {404}
    removal = {"atomic:operations": [{"op": "remove", "ref": ref}]}
    answer = await client.request(
        "POST", "/operations", msgspec.json.encode(removal), Content_Type=ATOMIC, Accept=ATOMIC
    )
    assert answer.status == 404
    assert await core.use_cases.import_tasks.get(a_principal(), cd.id) == cd


async def test_a_report_of_another_type_is_not_here(client: Client, core: Core) -> None:
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav", master_type="cd")
    new = await core.use_cases.import_tasks.create(a_principal(), fields)
    cd = await core.complete(new, PACKED)
    assert (await fetch(client, f"{TASKS}/{cd.id}/validation-report")).status == 404
    of_record = await fetch(client, f"/records/{cd.record_id}/validation-report")
    assert of_record.body == gzip.decompress(PACKED)


async def test_a_record_of_another_type_leads_to_no_atmos_task(client: Client, core: Core) -> None:
    fields = TaskFields(source_uri="https://cdn.example.com/a.wav", master_type="cd")
    cd = await core.complete(await core.use_cases.import_tasks.create(a_principal(), fields))
    at = f"/records/{cd.record_id}"
    assert (await client.get(at)).document["data"]["attributes"]["masterType"] == "cd"
    assert (await client.get(f"{at}/import-task")).document["data"] is None
    assert (await client.get(f"{at}?include=importTask")).document["included"] == []
