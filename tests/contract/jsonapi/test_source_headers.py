"""``sourceHeaders``: written, never read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.outcomes import Go, Run
from services.api.http.facades.atmos import TASKS as DECLARED
from services.api.http.jsonapi.atomic import EXTENSION
from services.api.http.jsonapi.dialect import STANDARD
from services.api.http.openapi.schemas import components
from tests.support.jsonapi import MEDIA_TYPE, Client, new_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.core import Core

TASKS = "/atmos-import-tasks"
FIELDS = {"Authorization": "Bearer open-sesame", "X-Key": "k"}
OTHERS = {"Authorization": "Bearer another"}
POINTER = "/data/attributes/sourceHeaders"


async def create(client: Client, headers: object = None) -> str:
    answer = await client.create_task(await client.create_track(), sourceHeaders=headers or FIELDS)
    assert answer.status == 201, answer.body
    assert "sourceHeaders" not in answer.document["data"]["attributes"]
    return str(answer.document["data"]["id"])


async def change(client: Client, id_: str, **attributes: object) -> Any:
    data = {"type": "atmos-import-tasks", "id": id_, "attributes": attributes}
    answer = await client.send("PATCH", f"{TASKS}/{id_}", {"data": data})
    assert answer.status == 200, answer.body
    return answer.document["data"]


async def given_to(core: Core, id_: str, generation: int = 1) -> Mapping[str, str] | None:
    run = Run(Stage.DOWNLOAD, generation, uuid7())
    go = await core.use_cases.runs.claim(UUID(id_), run)
    assert isinstance(go, Go)
    return go.source_headers.fields if go.source_headers else None


async def test_they_are_for_the_download(client: Client, core: Core) -> None:
    assert await given_to(core, await create(client)) == FIELDS


async def test_they_are_replaced_as_a_whole(client: Client, core: Core) -> None:
    id_ = await create(client)
    data = await change(client, id_, sourceHeaders=OTHERS)
    assert data["meta"]["generation"] == 1
    assert await given_to(core, id_) == OTHERS


@pytest.mark.parametrize("nothing", [None, {}])
async def test_they_are_removed(client: Client, core: Core, nothing: object) -> None:
    id_ = await create(client)
    await change(client, id_, sourceHeaders=nothing)
    assert await given_to(core, id_) is None


async def test_what_was_read_can_be_sent_back(client: Client, core: Core) -> None:
    id_ = await create(client)
    read = (await client.get(f"{TASKS}/{id_}")).document["data"]
    assert await change(client, id_, **read["attributes"]) == read
    assert await given_to(core, id_) == FIELDS


async def test_another_origin_does_not_get_them(client: Client, core: Core) -> None:
    id_ = await create(client)
    await change(client, id_, url="https://else.example.com/a.mp4")
    assert await given_to(core, id_, generation=2) is None


@pytest.mark.parametrize(
    ("headers", "refusals"),
    [
        ({"Host": "secret"}, [("Host", "This header field cannot be set.")]),
        ({"If-Range": "secret"}, [("If-Range", "This header field cannot be set.")]),
        (
            {"X": "secret\r\nHost: x", "User-Agent": "secret"},
            [
                ("X", "The value of this header field must be visible ASCII, blanks and tabs."),
                ("User-Agent", "This header field cannot be set."),
            ],
        ),
        ({"a/b~c": "secret"}, [("a~1b~0c", "This is no name of a header field.")]),
        ({"X": "1", "x": "secret"}, [("x", "This header field is given twice.")]),
    ],
)
async def test_each_wrong_one_is_pointed_at(
    client: Client, headers: object, refusals: list[tuple[str, str]]
) -> None:
    answer = await client.create_task(await client.create_track(), sourceHeaders=headers)
    assert answer.status == 422
    assert answer.refusals == [(f"{POINTER}/{name}", detail) for name, detail in refusals]
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    "headers", ["Authorization: x", ["x"], 1, False, {f"X{n}": "" for n in range(17)}]
)
async def test_what_are_no_header_fields_at_all(client: Client, headers: object) -> None:
    answer = await client.create_task(await client.create_track(), sourceHeaders=headers)
    detail = "The source headers field must be at most 16 header fields by name, 8 KiB in all."
    assert (answer.status, answer.refusals) == (422, [(POINTER, detail)])


async def test_they_cannot_be_asked_for(client: Client) -> None:
    id_ = await create(client)
    answer = await client.get(f"{TASKS}/{id_}?fields[atmos-import-tasks]=sourceHeaders")
    assert answer.status == 400


def test_the_description_calls_them_write_only() -> None:
    described = components([DECLARED], STANDARD)
    assert (
        "sourceHeaders"
        not in described["AtmosImportTasks"]["properties"]["attributes"]["properties"]
    )
    for name in ("AtmosImportTasksNew", "AtmosImportTasksChange"):
        data = described[name]["properties"]["data"]["properties"]
        assert data["attributes"]["properties"]["sourceHeaders"]["writeOnly"] is True


async def test_operations_take_them_and_their_key_stands_for_them(
    client: Client, core: Core
) -> None:
    track = await client.create_track()

    async def run(headers: object, key: str = "k") -> Any:
        add = {"op": "add", **new_task(track, sourceHeaders=headers)}
        body = msgspec.json.encode({"atomic:operations": [add]})
        spoken = f'{MEDIA_TYPE};ext="{EXTENSION}"'
        sent = {"Accept": spoken, "Content_Type": spoken, "Idempotency_Key": key}
        return await client.request("POST", "/operations", body, **sent)

    first = await run(FIELDS)
    assert first.status == 200
    assert (await run(FIELDS)).document == first.document
    assert (await run(OTHERS)).status == 422
    id_ = first.document["atomic:results"][0]["data"]["id"]
    assert await given_to(core, id_) == FIELDS
    wrong = await run({"Host": "x"}, "another")
    assert [where for where, _ in wrong.refusals] == [f"/atomic:operations/0{POINTER}/Host"]
