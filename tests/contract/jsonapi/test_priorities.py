"""``priority``: what goes first; written as an attribute, told in ``meta``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.jsonapi import Client

TASKS = "/atmos-import-tasks"


async def create(client: Client, **attributes: object) -> Any:
    answer = await client.create_task(await client.create_track(), **attributes)
    assert answer.status == 201, answer.body
    return answer.document["data"]


async def test_somebody_waits_for_a_task_unless_its_client_says_that_nobody_does(
    client: Client,
) -> None:
    told = [await create(client, **said) for said in ({}, {"priority": None}, {"priority": "bulk"})]
    priorities = [data["meta"]["priority"] for data in told]
    assert priorities == ["interactive", "interactive", "bulk"]
    assert all("priority" not in data["attributes"] for data in told)


async def test_it_can_be_changed_and_fetches_nothing_again(client: Client) -> None:
    before = await create(client, priority="bulk")
    document = {"data": {key: before[key] for key in ("type", "id")}}
    document["data"]["attributes"] = {"priority": "interactive"}
    answer = await client.send("PATCH", f"{TASKS}/{before['id']}", document)
    assert answer.status == 200
    meta = answer.document["data"]["meta"]
    assert (meta["priority"], meta["generation"]) == ("interactive", 1)


@pytest.mark.parametrize("priority", ["urgent", 1, []])
async def test_there_is_no_other(client: Client, priority: object) -> None:
    answer = await client.create_task(await client.create_track(), priority=priority)
    assert answer.status == 422
    assert [where for where, _ in answer.refusals] == ["/data/attributes/priority"]
