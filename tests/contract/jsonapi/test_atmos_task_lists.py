"""Lists of import tasks over HTTP: their filters, their pages, and what is no parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Client

TASKS = "/atmos-import-tasks"
URL = "https://domain.com/api/v1/atmos-import-tasks"


def _ids(document: dict[str, Any]) -> list[str]:
    return [item["id"] for item in document["data"]]


async def test_filters(client: Client, core: Core) -> None:
    first, second, third = [await core.task(f"USRC1234567{n}") for n in range(3)]
    await core.complete(second)
    assert first.target is not None
    for query, expected in {
        "": [first, second, third],
        f"filter[id]={third.id}": [third],
        f"filter[id]={third.id},{first.id}": [first, third],
        "filter[id]=no-uuid": [],
        "filter[status]=completed": [second],
        "filter[status]=completed,pending": [first, second, third],
        "filter[status]=complete": [],
        f"filter[track-id]={first.target.id}": [first],
        f"filter[track-id]={uuid4()}": [],
        f"filter[status]=pending&filter[id]={second.id},{third.id}": [third],
        f"filter%5Bid%5D={third.id}": [third],
    }.items():
        answer = await client.get(f"{TASKS}?{query}")
        assert answer.status == 200
        assert _ids(answer.document) == [str(task.id) for task in expected], query
        assert answer.document["meta"]["page"]["total"] == len(expected), query


async def test_pages_lead_to_each_other(client: Client, core: Core) -> None:
    tasks = [await core.task() for _ in range(5)]
    seen: list[str] = []
    url = f"{URL}?filter[status]=pending&page[size]=2"
    while url:
        document = (await client.get(url.removeprefix("https://domain.com/api/v1"))).document
        seen += _ids(document)
        url = document["links"].get("next")
    assert seen == [str(task.id) for task in tasks]
    assert document["meta"]["page"] == {
        "currentPage": 3,
        "from": 5,
        "lastPage": 3,
        "perPage": 2,
        "to": 5,
        "total": 5,
    }
    first = f"{URL}?filter%5Bstatus%5D=pending&page%5Bnumber%5D=1&page%5Bsize%5D=2"
    assert document["links"]["first"] == first


async def test_empty_list(client: Client) -> None:
    document = (await client.get(TASKS)).document
    assert document["data"] == []
    assert document["meta"]["page"] == {
        "currentPage": 1,
        "from": 0,
        "lastPage": 1,
        "perPage": 20,
        "to": 0,
        "total": 0,
    }


async def test_a_page_far_past_the_end_is_empty(client: Client, core: Core) -> None:
    await core.task()
    answer = await client.get(f"{TASKS}?page[number]=2147483647&page[size]=100")
    assert (answer.status, answer.document["data"]) == (200, [])


@pytest.mark.parametrize(
    ("query", "parameter", "detail"),
    [
        ("filter[x]=1", "filter", "Filter parameter x is not allowed."),
        ("page[limit]=1", "page", "Page parameter limit is not allowed."),
        (
            "page[size]=101",
            "page[size]",
            "The page size must be a whole number between 1 and 100.",
        ),
        ("foo=1", "foo", "Parameter foo is not allowed."),
    ],
)
async def test_wrong_parameters(client: Client, query: str, parameter: str, detail: str) -> None:
    answer = await client.get(f"{TASKS}?{query}")
    assert (answer.status, answer.refusals) == (400, [(parameter, detail)])
    assert answer.document["errors"][0]["title"] == "Invalid Query Parameter"
