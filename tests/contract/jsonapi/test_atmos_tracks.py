"""Tracks over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import msgspec
import pytest

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Client


def _track(**attributes: object) -> dict[str, object]:
    return {"data": {"type": "tracks", "attributes": attributes}}


async def test_from_create_to_delete(client: Client) -> None:
    created = await client.send(
        "POST", "/tracks", _track(title="Kind of Blue", isrc="usrc17607839")
    )
    assert created.status == 201
    data = created.document["data"]
    url = f"https://domain.com/api/v1/tracks/{data['id']}"
    assert created.headers["Location"] == url
    moment = data["attributes"]["createdAt"]
    expected = {
        "data": {
            "type": "tracks",
            "id": data["id"],
            "attributes": {
                "title": "Kind of Blue",
                "isrc": "USRC17607839",
                "createdAt": moment,
                "updatedAt": moment,
                "durationSeconds": None,
                "supportNumber": None,
                "index": None,
                "path": None,
                "organizationIndex": None,
                "metadata": None,
                "number": 1,
                "coverUrl": None,
                "coverThumbnailUrl": None,
            },
            "relationships": {
                name: {"links": {"related": f"{url}/{name}", "self": f"{url}/relationships/{name}"}}
                for name in ("product", "collection")
            },
            "links": {"self": url},
        },
        "jsonapi": {"version": "1.0"},
        "links": {"self": url, "describedby": "https://domain.com/api/v1/openapi.json"},
    }
    assert created.body == msgspec.json.encode(expected)
    path = f"/tracks/{data['id']}"
    assert (await client.get(path)).body == created.body
    change = {"data": {"type": "tracks", "id": data["id"], "attributes": {"isrc": None}}}
    changed = await client.send("PATCH", path, change)
    assert changed.status == 200
    assert changed.document["data"]["attributes"]["isrc"] is None
    assert changed.document["data"]["attributes"]["title"] == "Kind of Blue"
    assert (await client.delete(path)).status == 204
    assert (await client.get(path)).status == 404


@pytest.mark.parametrize(
    ("attributes", "where", "detail"),
    [
        ({}, "title", "The title field is required."),
        ({"title": 5}, "title", "The title field must be printable text."),
        ({"title": "a\u0000b"}, "title", "The title field must be printable text."),
        (
            {"title": "x" * 256},
            "title",
            "The title field must not be greater than 255 characters.",
        ),
        ({"title": "x", "isrc": "1"}, "isrc", "The isrc field format is invalid."),
    ],
)
async def test_wrong_values(
    client: Client, attributes: dict[str, object], where: str, detail: str
) -> None:
    answer = await client.send("POST", "/tracks", _track(**attributes))
    assert (answer.status, answer.refusals) == (422, [(f"/data/attributes/{where}", detail)])


async def test_list(client: Client) -> None:
    ids = [await client.create_track(f"Track {n}") for n in range(3)]
    answer = await client.get(f"/tracks?filter[id]={ids[2]},{ids[0]},{uuid4()}")
    assert [each["id"] for each in answer.document["data"]] == [ids[0], ids[2]]
    second = await client.get("/tracks?page[number]=2&page[size]=1")
    assert [each["id"] for each in second.document["data"]] == [ids[1]]
    assert second.document["meta"]["page"]["total"] == 3
    answer = await client.get("/tracks?filter[status]=pending")
    assert answer.refusals == [("filter", "Filter parameter status is not allowed.")]


async def test_a_track_in_use_stays(client: Client, core: Core) -> None:
    task = await core.task()
    assert task.target is not None
    answer = await client.delete(f"/tracks/{task.target.id}")
    assert answer.status == 409
    assert answer.refusals == [("", "An import task or a record is linked to this track.")]
