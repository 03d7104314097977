"""Download links over JSON:API: made once, for a valid record of one's own."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from services.api.domain.queries import Slice
from services.api.http.server import make_app
from services.api.limits import RateLimiter
from services.api.use_cases.import_tasks import TaskFields
from shared.blobs.base import StoreUnavailable
from shared.blobs.local import LocalStore
from tests.support.core import a_principal, open_core
from tests.support.jsonapi import MEDIA_TYPE, Client, serving
from tests.support.links import BYTES, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.core import Core
    from tests.support.jsonapi import Answer

PUBLIC = "https://domain.com"


@pytest.fixture
async def core(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Core]:
    """A core whose records have bytes."""
    async with open_core(sqlite_url, store=LocalStore(tmp_path / "blobs")) as opened:
        yield opened


@pytest.fixture
async def record(core: Core) -> UUID:
    """A record of the tenant ``default``."""
    return await stored(core)


async def ask(client: Client, record: UUID, **attributes: object) -> Answer:
    """Ask for a link."""
    data = {"type": "download-links", "attributes": attributes}
    return await client.send("POST", f"/records/{record}/download-links", {"data": data})


async def test_a_link_is_made_and_gives_the_bytes(client: Client, record: UUID) -> None:
    before = datetime.now(UTC)
    answer = await ask(client, record, ttlSeconds=90)
    assert (answer.status, answer.headers["Content-Type"]) == (201, MEDIA_TYPE)
    assert answer.headers["Cache-Control"] == "no-store"
    # It cannot be read again: there is no place to say.
    assert "Location" not in answer.headers
    data = answer.document["data"]
    assert data.keys() == {"type", "id", "attributes"}
    assert (data["type"], data["attributes"].keys()) == (
        "download-links",
        {"ttlSeconds", "url", "expiresAt"},
    )
    assert str(UUID(data["id"])) == data["id"]
    assert answer.document["links"] == {"describedby": f"{PUBLIC}/api/v1/openapi.json"}
    expires = datetime.fromisoformat(data["attributes"]["expiresAt"])
    assert timedelta(seconds=89) <= expires - before <= timedelta(seconds=95)
    url = data["attributes"]["url"]
    assert url.startswith(f"{PUBLIC}/files/{record}?")
    async with client.session.get(url.removeprefix(PUBLIC)) as file:
        assert (file.status, await file.read()) == (200, BYTES)


async def test_a_link_lasts_a_quarter_of_an_hour_unless_told_otherwise(
    client: Client, record: UUID
) -> None:
    for data in ({"type": "download-links"}, {"type": "download-links", "attributes": {}}):
        path = f"/records/{record}/download-links"
        answer = await client.send("POST", path, {"data": data})
        assert answer.document["data"]["attributes"]["ttlSeconds"] == 900


@pytest.mark.parametrize("ttl", [60, 604_800, 60.0, 604_799.5])
async def test_how_long_it_may_last(client: Client, record: UUID, ttl: float) -> None:
    answer = await ask(client, record, ttlSeconds=ttl)
    assert answer.status == 201
    assert answer.document["data"]["attributes"]["ttlSeconds"] == math.ceil(ttl)


@pytest.mark.parametrize("ttl", [59, 59.9, 604_800.1, 604_801, 0, -60, "60", True, [60], 10**400])
async def test_how_long_it_may_not_last(client: Client, record: UUID, ttl: object) -> None:
    answer = await ask(client, record, ttlSeconds=ttl)
    detail = "The ttl seconds field must be a number of seconds from 60 to 604800."
    assert (answer.status, answer.refusals) == (422, [("/data/attributes/ttlSeconds", detail)])


async def test_without_a_public_url_links_lead_to_where_the_client_asked(
    core: Core, record: UUID
) -> None:
    app = make_app(core.use_cases, public_url=None, ready=core.use_cases.ready)
    token = await core.use_cases.tokens.issue("default", "test", ["records:read"])
    async with serving(app) as session:
        answer = await ask(Client(session, token), record)
        url = answer.document["data"]["attributes"]["url"]
        async with session.get(url) as file:
            assert await file.read() == BYTES


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"data": {"type": "tracks"}}, 409),
        ({"data": {"type": "download-links", "id": "x"}}, 403),
        ({"data": {"type": "download-links", "attributes": {"colour": 1}}}, 400),
    ],
)
async def test_what_is_no_request_for_a_link(
    client: Client, record: UUID, document: object, status: int
) -> None:
    path = f"/records/{record}/download-links"
    assert (await client.send("POST", path, document)).status == status
    assert (await client.send("POST", f"{path}?x=1", document)).status == 400
    assert (await client.get(path)).status == 405


async def test_a_superseded_record_has_no_links(client: Client, core: Core, record: UUID) -> None:
    task = (await core.use_cases.records.get(a_principal(), record)).task_id
    await core.use_cases.import_tasks.update(a_principal(), task, TaskFields(isrc="USRC12345679"))
    answer = await ask(client, record)
    assert (answer.status, answer.refusals) == (409, [("", "The record was superseded.")])


class _Away(LocalStore):
    async def link(self, key: str, *, lasting: timedelta, filename: str) -> str | None:  # noqa: ARG002 - the interface of all stores
        raise StoreUnavailable(key)


async def test_a_store_that_cannot_sign_now(core: Core, record: UUID, tmp_path: Path) -> None:
    links = replace(core.use_cases.links, store=_Away(tmp_path))
    app = make_app(
        replace(core.use_cases, links=links), public_url=None, ready=core.use_cases.ready
    )
    token = await core.use_cases.tokens.issue("default", "test", ["records:read"])
    async with serving(app) as session:
        answer = await ask(Client(session, token), record)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_it_is_written_down_who_asked(client: Client, core: Core, record: UUID) -> None:
    await ask(client, UUID(int=7))
    await ask(client, record, ttlSeconds=1)
    await ask(client, record)
    page = await core.use_cases.audit.list(a_principal("default", "admin"), Slice(limit=50))
    [entry] = [each for each in page.items if each.action == "records.link"]
    assert client.token is not None
    assert (entry.resource, entry.principal) == (f"records/{record}", client.token.split("_")[1])
    assert entry.address == "127.0.0.1"


async def test_asking_counts_like_any_request(core: Core, record: UUID) -> None:
    app = make_app(
        core.use_cases, public_url=None, ready=core.use_cases.ready, limiter=RateLimiter(1)
    )
    token = await core.use_cases.tokens.issue("default", "test", ["records:read"])
    async with serving(app) as session:
        client = Client(session, token)
        assert [(await ask(client, record)).status for _ in range(2)] == [201, 429]
