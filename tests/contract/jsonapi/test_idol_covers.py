"""The covers of products, where the IDOL facade shows tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from services.api.domain.principal import SCOPES
from services.api.domain.task import Target
from shared.blobs.local import LocalStore
from tests.support.core import a_principal
from tests.support.idol import TASKS, a_shelf, new_task
from tests.support.jsonapi import Client
from tests.support.pictures import picture
from tests.support.uploading import bring, expect, open_quay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from tests.support.uploading import Quay

PICTURE = picture("png", 400, 400)


@pytest.fixture
async def quay(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Quay]:
    """A server that takes files in."""
    async with open_quay(sqlite_url, LocalStore(tmp_path / "blobs")) as opened:
        yield opened


@pytest.fixture
async def client(quay: Quay) -> Client:
    """A client that may do everything."""
    token = await quay.core.use_cases.tokens.issue("default", "test", SCOPES)
    return Client(quay.session, token)


async def give_cover(quay: Quay, product: UUID) -> None:
    target = Target("products", product)
    await bring(quay.core, await expect(quay.core, kind="cover", target=target), PICTURE)


async def covers(client: Client) -> list[Any]:
    document = (await client.get(TASKS)).document
    return [each["attributes"]["cover-url"] for each in document["data"]]


async def test_a_task_shows_the_cover_of_the_product_that_it_belongs_to(
    quay: Quay, client: Client
) -> None:
    shelf = await a_shelf(quay.core)
    loose = await quay.core.track()
    for type_, number in (*shelf.numbers.items(), ("tracks", loose.number)):
        made = await client.send("POST", TASKS, new_task(type_, number))
        assert made.document["data"]["attributes"]["cover-url"] is None
    await give_cover(quay, shelf.ids["products"])
    *shown, none = await covers(client)
    assert none is None
    assert len(shown) == len(shelf.numbers)
    assert len(set(shown)) == 1
    one = (await client.get(f"{TASKS}/1")).document["data"]["attributes"]
    assert one["cover-url"] == shown[0]
    base: Any = client.session._base_url  # noqa: SLF001 - where the server of this test is
    assert shown[0].startswith(f"{base}".rstrip("/") + "/covers/")
    seen = await quay.send(shown[0], None, "GET")
    assert (seen.status, seen.headers["Content-Type"]) == (200, "image/jpeg")


async def test_a_cover_of_the_track_alone_is_none_of_its_product(
    quay: Quay, client: Client
) -> None:
    shelf = await a_shelf(quay.core)
    await client.send("POST", TASKS, new_task("tracks", shelf.numbers["tracks"]))
    target = Target("tracks", shelf.ids["tracks"])
    await bring(quay.core, await expect(quay.core, kind="cover", target=target), PICTURE)
    assert await covers(client) == [None]


async def test_all_products_of_a_page_are_read_at_once(quay: Quay, client: Client) -> None:
    numbers = []
    for _ in range(3):
        shelf = await a_shelf(quay.core)
        await give_cover(quay, shelf.ids["products"])
        numbers.append(shelf.numbers["tracks"])
    for number in numbers:
        await client.send("POST", TASKS, new_task("tracks", number))
    asked: list[str] = []

    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        asked.append(statement)

    reader = quay.core.engines.read.sync_engine
    event.listen(reader, "before_cursor_execute", note)
    assert len({*await covers(client)}) == len(numbers)
    event.remove(reader, "before_cursor_execute", note)
    assert sum("FROM products" in each for each in asked) == 1


async def test_a_cover_of_another_tenant_is_not_shown(quay: Quay, client: Client) -> None:
    shelf = await a_shelf(quay.core, a_principal("other"))
    theirs = Target("products", shelf.ids["products"])
    await bring(quay.core, await expect(quay.core, "other", kind="cover", target=theirs), PICTURE)
    mine = await a_shelf(quay.core)
    await client.send("POST", TASKS, new_task("products", mine.numbers["products"]))
    assert await covers(client) == [None]
