"""Pages by cursor: https://jsonapi.org/profiles/ethanresnick/cursor-pagination/."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest

from services.api.http.jsonapi.cursors import PROFILE
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Answer, Client

TASKS = "/atmos-import-tasks"
SPOKEN = f'{MEDIA_TYPE};profile="{PROFILE}"'


def _ids(answer: Answer) -> list[str]:
    return [item["id"] for item in answer.document["data"]]


async def _follow(client: Client, url: str) -> Answer:
    return await client.get(url.removeprefix("https://domain.com/api/v1"))


@pytest.mark.parametrize("sort", ["", "createdAt", "-createdAt", "-updatedAt", "status,-createdAt"])
async def test_there_and_back_again(client: Client, core: Core, sort: str) -> None:
    tasks = [await core.task(f"USRC1234567{n}") for n in range(5)]
    await core.complete(tasks[2])
    kept = f"sort={sort}&filter[status]=pending,completed" if sort else ""
    whole = _ids(await client.get(f"{TASKS}?{kept}"))
    assert len(whole) == 5
    page = await client.get(f"{TASKS}?{kept}&page[after]=&page[size]=2")
    assert page.document["links"]["prev"] is None
    assert page.document["meta"] == {"page": {"total": 5}}
    seen = _ids(page)
    while page.document["links"]["next"]:
        page = await _follow(client, page.document["links"]["next"])
        seen += _ids(page)
    assert seen == whole
    back: list[str] = _ids(page)
    while page.document["links"]["prev"]:
        page = await _follow(client, page.document["links"]["prev"])
        back = _ids(page) + back
    assert back == whole
    assert _ids(await _follow(client, page.document["links"]["first"])) == whole[:2]


async def test_a_client_that_speaks_the_profile(client: Client, core: Core) -> None:
    for _ in range(2):
        await core.task()
    answer = await client.request("GET", f"{TASKS}?page[size]=1", Accept=SPOKEN)
    assert answer.headers["Content-Type"] == SPOKEN
    assert answer.headers["Vary"] == "Accept"
    assert answer.document["jsonapi"] == {"version": "1.1", "profile": [PROFILE]}
    [item] = answer.document["data"]
    assert item["meta"]["attempts"] == 0
    after = await client.get(f"{TASKS}?page[after]={item['meta']['page']['cursor']}")
    assert after.headers["Content-Type"] == MEDIA_TYPE
    assert len(_ids(after)) == 1
    numbered = await client.request("GET", f"{TASKS}?page[number]=1", Accept=SPOKEN)
    assert numbered.headers["Content-Type"] == MEDIA_TYPE
    assert numbered.document["meta"]["page"]["currentPage"] == 1


async def test_what_comes_after_does_not_move(client: Client, core: Core) -> None:
    tasks = [await core.task() for _ in range(4)]
    first = await client.get(f"{TASKS}?page[after]=&page[size]=2")
    for gone in tasks[:2]:
        await client.delete(f"{TASKS}/{gone.id}")
    rest = await _follow(client, first.document["links"]["next"])
    assert _ids(rest) == [str(task.id) for task in tasks[2:]]


async def test_ranges(client: Client, core: Core) -> None:
    tasks = [str((await core.task()).id) for _ in range(5)]
    items = (await client.get(f"{TASKS}?page[after]=")).document["data"]
    first, *_, last = (item["meta"]["page"]["cursor"] for item in items)
    between = f"{TASKS}?page[after]={first}&page[before]={last}"
    whole = await client.get(between)
    assert _ids(whole) == tasks[1:4]
    assert whole.document["meta"]["page"] == {"total": 5}
    assert "page%5Bsize%5D=100" in whole.document["links"]["next"]
    cut = await client.get(f"{between}&page[size]=2")
    assert _ids(cut) == tasks[1:3]
    assert cut.document["meta"]["page"] == {"rangeTruncated": True, "total": 5}


def _forged(*named: object) -> str:
    return urlsafe_b64encode(repr(list(named)).replace("'", '"').encode()).decode()


ID = "01924f3b-2222-7000-bbbb-000000000002"
KEYS: list[Any] = [["id", 0]]


@pytest.mark.parametrize(
    "cursor",
    ["x", "%C3%A4", "AA", _forged(), _forged([["id", 1]], ID), _forged([], ID), "e30"],
)
@pytest.mark.parametrize("side", ["after", "before"])
async def test_cursors_that_are_none(client: Client, cursor: str, side: str) -> None:
    answer = await client.get(f"{TASKS}?page[{side}]={cursor}")
    detail = f"The page {side} must be a cursor of this list in this order."
    assert (answer.status, answer.refusals) == (400, [(f"page[{side}]", detail)])


@pytest.mark.parametrize(
    "moment", ["2025-05-27T10:00:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
async def test_moments_that_no_database_holds(client: Client, moment: str) -> None:
    text = f'[[["updated_at",false],["id",false]],"{moment}","{ID}"]'
    cursor = urlsafe_b64encode(text.encode()).decode()
    answer = await client.get(f"{TASKS}?sort=updatedAt&page[after]={cursor}")
    assert answer.status == 400


async def test_a_cursor_of_another_order(client: Client, core: Core) -> None:
    await core.task()
    [item] = (await client.get(f"{TASKS}?sort=updatedAt&page[after]=")).document["data"]
    cursor = item["meta"]["page"]["cursor"]
    assert (await client.get(f"{TASKS}?sort=updatedAt&page[after]={cursor}")).status == 200
    for sort in ("", "-updatedAt", "status"):
        assert (await client.get(f"{TASKS}?sort={sort}&page[after]={cursor}")).status == 400


@pytest.mark.parametrize("size", ["101", "9" * 5000], ids=["a few", "very many"])
async def test_too_much_at_once(client: Client, size: str) -> None:
    answer = await client.get(f"{TASKS}?page[after]=&page[size]={size}")
    assert answer.status == 400
    assert answer.document["errors"] == [
        {
            "detail": "The page size must be a whole number between 1 and 100.",
            "links": {"type": f"{PROFILE}max-size-exceeded"},
            "meta": {"page": {"maxSize": 100}},
            "source": {"parameter": "page[size]"},
            "status": "400",
            "title": "Invalid Query Parameter",
        }
    ]
    mixed = await client.get(f"{TASKS}?page[after]=&page[number]=1")
    assert mixed.refusals == [("page", "Page parameter number is not allowed.")]


async def test_an_empty_list(client: Client) -> None:
    document = (await client.get(f"{TASKS}?page[after]=")).document
    assert (document["links"]["next"], document["links"]["prev"]) == (None, None)
