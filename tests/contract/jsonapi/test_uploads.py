"""Uploads as JSON:API: expected, brought by link, looked at, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.api.http.server import make_app
from shared.blobs.local import LocalStore
from tests.support.core import open_core
from tests.support.jsonapi import Client, serving
from tests.support.uploading import FILE, FILE_MD5

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def client(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    """Somebody who may do all that can be done with uploads."""
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as core:
        app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
        scopes = ["uploads:read", "uploads:write"]
        token = await core.use_cases.tokens.issue("default", "test", scopes)
        async with serving(app) as session:
            yield Client(session, token)


async def create(client: Client, **attributes: object) -> Any:
    data = {"type": "uploads", "attributes": attributes}
    return await client.send("POST", "/uploads", {"data": data})


async def test_a_master_is_brought(client: Client) -> None:
    made = await create(client, fileName="a.wav", declaredMd5=FILE_MD5, ttlSeconds=120)
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    data = made.document["data"]
    assert (
        data["attributes"] | {"fileName": "a.wav", "state": "waiting", "md5": None}
        == (data["attributes"])
    )
    assert "ttlSeconds" not in data["attributes"]
    link = data["links"]["upload"]
    assert link.startswith(data["links"]["self"].partition("/api/")[0] + "/incoming/")
    async with client.session.put(link, data=FILE) as answer:
        assert answer.status == 200
    after = (await client.get(f"/uploads/{data['id']}")).document["data"]
    assert after["attributes"]["state"] == "stored"
    assert (after["attributes"]["byteSize"], after["attributes"]["md5"]) == (len(FILE), FILE_MD5)
    assert after["links"].keys() == {"self"}


async def test_a_list_tells_no_links(client: Client) -> None:
    made = [(await create(client)).document["data"]["id"] for _ in range(2)]
    listed = (await client.get("/uploads?sort=-createdAt")).document["data"]
    assert [each["id"] for each in listed] == made[::-1]
    assert all(each["links"].keys() == {"self"} for each in listed)


async def test_it_is_forgotten(client: Client) -> None:
    id_ = (await create(client)).document["data"]["id"]
    assert (await client.request("DELETE", f"/uploads/{id_}")).status == 204
    assert (await client.get(f"/uploads/{id_}")).status == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ttlSeconds", 1),
        ("declaredMd5", "x"),
        ("maxByteSize", -1),
        ("declaredByteSize", 65 * 1024**3),
        ("fileName", "a\nb"),
        ("fileName", "a" * 256),
    ],
)
async def test_what_is_wrong_is_named(client: Client, name: str, value: object) -> None:
    answer = await create(client, **{name: value})
    assert answer.status == 422
    assert [where for where, _ in answer.refusals] == [f"/data/attributes/{name}"]
