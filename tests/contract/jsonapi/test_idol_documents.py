"""The IDOL facade, member by member as in the published document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from services.api.domain.lifecycle import Stage
from services.api.domain.queries import TaskQuery
from services.api.domain.runs import Refused
from services.api.use_cases.import_tasks import TaskFields
from tests.support.core import MD5, a_principal
from tests.support.idol import TASKS, TYPES, URL, a_shelf, new_task
from tests.support.jsonapi import MEDIA_TYPE

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.jsonapi import Client

BASE = "https://domain.com/api/v2"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
EACH = pytest.mark.parametrize("type_", TYPES)


async def a_task(client: Client, core: Core, type_: str = "tracks", **attributes: object) -> Task:
    """A task that was asked for in this way."""
    shelf = await a_shelf(core)
    document = new_task(type_, shelf.numbers[type_], **attributes)
    answer = await client.send("POST", TASKS, document)
    assert answer.status == 201, answer.body
    number = int(answer.document["data"]["id"])
    who = a_principal()
    page = await core.use_cases.import_tasks.list(who, TaskQuery(numbers=frozenset({number})))
    return page.items[0]


def steady(document: Any) -> Any:
    """Without the moments, which have the published form."""
    for name in ("created-at", "updated-at"):
        assert MOMENT.fullmatch(document["attributes"].pop(name))
    return document


async def test_create(client: Client, core: Core) -> None:
    shelf = await a_shelf(core)
    sent = new_task(
        "tracks", shelf.numbers["tracks"], master_type="hd", precision=24, status="uploaded"
    )
    answer = await client.send("POST", TASKS, sent)
    assert answer.status == 201
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    assert answer.headers["Location"] == f"{BASE}/import-tasks/1"
    assert answer.document.keys() == {"data"}
    data = answer.document["data"]
    assert [*data] == ["id", "type", "links", "attributes", "relationships"]
    assert [*data["attributes"]] == [
        "created-at",
        "updated-at",
        "precision",
        "master-type",
        "support-number",
        "status",
        "cover-url",
        "url",
        "message",
    ]
    assert steady(data) == {
        "id": "1",
        "type": "import-tasks",
        "links": {"self": f"{BASE}/import-tasks/1"},
        "attributes": {
            "precision": "24",
            "master-type": "hd",
            "support-number": "CL 1355",
            "status": "uploaded",
            "cover-url": None,
            "url": URL,
            "message": None,
        },
        "relationships": {
            "attachable": {
                "links": {
                    "self": f"{BASE}/import-tasks/1/relationships/attachable",
                    "related": f"{BASE}/import-tasks/1/attachable",
                },
                "data": {"type": "tracks", "id": str(shelf.numbers["tracks"])},
            }
        },
    }
    assert (await client.get(f"{TASKS}/1")).body == answer.body


async def test_a_list(client: Client, core: Core) -> None:
    shelf = await a_shelf(core)
    for type_, number in shelf.numbers.items():
        await client.send("POST", TASKS, new_task(type_, number))
    answer = await client.get(TASKS)
    assert [*answer.document] == ["data", "meta", "links"]
    assert answer.document["meta"] == {"record-count": 4, "page-count": 1}
    page = f"{BASE}/import-tasks?page%5Bnumber%5D=1&page%5Bsize%5D=20"
    assert answer.document["links"] == {"first": page, "last": page}
    shown = [each["relationships"]["attachable"]["data"] for each in answer.document["data"]]
    assert shown == [{"type": type_, "id": str(n)} for type_, n in shelf.numbers.items()]


async def test_nothing_to_list(client: Client) -> None:
    document = (await client.get(TASKS)).document
    assert (document["data"], document["meta"]) == ([], {"record-count": 0, "page-count": 0})
    assert document["links"]["last"] == document["links"]["first"]


async def test_completed(client: Client, core: Core) -> None:
    task = await a_task(client, core, precision=16, md5=MD5.upper())
    shown = (await client.get(f"{TASKS}/{task.number}")).document["data"]["attributes"]
    assert (shown["status"], shown["md5"]) == ("uploaded", MD5)
    await core.complete(task)
    shown = (await client.get(f"{TASKS}/{task.number}")).document["data"]["attributes"]
    assert [*shown][-1] == "md5"
    assert (shown["status"], shown["md5"], shown["message"]) == ("completed", MD5, None)


async def test_every_step_before_the_end_is_uploaded(client: Client, core: Core) -> None:
    task = await a_task(client, core)

    async def status() -> str:
        shown = (await client.get(f"{TASKS}/{task.number}")).document["data"]["attributes"]
        return str(shown["status"])

    seen = [await status()]
    await core.claim(task.id, Stage.DOWNLOAD)
    seen.append(await status())
    assert seen == ["uploaded"] * 2
    other = await a_task(client, core)
    await core.store(other)
    await core.claim(other.id, Stage.VALIDATE)
    shown = (await client.get(f"{TASKS}/{other.number}")).document["data"]["attributes"]
    assert (shown["status"], shown["md5"]) == ("uploaded", MD5)


async def test_failed(client: Client, core: Core) -> None:
    task = await a_task(client, core)
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    findings = tuple(
        {"code": "x", "severity": severity, "detail": detail, **more}
        for severity, detail, more in (
            ("error", "It is wrong.", {"measured": "24 bits", "allowed": "16 bits"}),
            ("warning", "It is loud.", {}),
            ("error", "It is mono.", {}),
        )
    )
    assert await core.use_cases.runs.report(task.id, run, Refused(problems=findings))
    shown = (await client.get(f"{TASKS}/{task.number}")).document["data"]["attributes"]
    message = "It is wrong. Found: 24 bits; allowed: 16 bits. It is mono."
    assert (shown["status"], shown["message"]) == ("failed", message)


@EACH
async def test_what_it_is_attached_to(client: Client, core: Core, type_: str) -> None:
    task = await a_task(client, core, type_)
    at = f"{TASKS}/{task.number}"
    linkage = (await client.get(f"{at}/relationships/attachable")).document
    assert linkage == {
        "data": {"type": type_, "id": "1"},
        "links": {
            "self": f"https://domain.com{at}/relationships/attachable",
            "related": f"https://domain.com{at}/attachable",
        },
    }
    related = (await client.get(f"{at}/attachable")).document
    assert related.keys() == {"data"}
    data = steady(related["data"])
    path = "asset-attachments" if type_ == "asset-attachment" else type_
    assert (data["id"], data["type"]) == ("1", type_)
    assert data["links"] == {"self": f"{BASE}/{path}/1"}
    assert data["attributes"].items() >= {"title": "A title", "support-number": "CL 1355"}.items()
    itself = await client.get(f"/api/v2/{path}/1")
    assert steady(itself.document["data"]) == data
    refused = await client.send("PATCH", f"/api/v2/{path}/1", {})
    assert (refused.status, refused.document["errors"][0]["code"]) == (403, "403")


async def test_a_task_for_nothing_or_without_a_number(client: Client, core: Core) -> None:
    """What other doors, or an older version beside this one, make."""
    fields = TaskFields(source_uri=URL, master_type="cd")
    loose = await core.use_cases.import_tasks.create(a_principal(), fields)
    at = f"{TASKS}/{loose.number}"
    assert (await client.get(f"{at}/relationships/attachable")).document["data"] is None
    assert (await client.get(f"{at}/attachable")).document == {"data": None}
    task = await a_task(client, core)

    def forget(transaction: Transaction) -> None:
        for table in ("import_tasks", "tracks"):
            transaction.connection.execute(text(f"UPDATE {table} SET number = NULL"))  # noqa: S608 - ours

    await core.use_cases.executor.write(forget)
    assert task.target is not None
    shown = (await client.get(f"{TASKS}/{task.id}")).document["data"]
    assert shown["id"] == str(task.id)
    assert shown["relationships"]["attachable"]["data"]["id"] == str(task.target.id)
    assert (
        await client.get(shown["links"]["self"].removeprefix("https://domain.com"))
    ).status == 200
    again = await client.send("POST", TASKS, new_task("tracks", task.target.id))
    assert again.status == 201
    assert (await client.get(f"/api/v2/tracks/{task.target.id}")).status == 200


async def test_other_types_of_masters_are_not_known_here(client: Client, core: Core) -> None:
    fields = TaskFields(source_uri=URL, master_type="subtitles")
    subtitles = await core.use_cases.import_tasks.create(a_principal(), fields)
    assert (await client.get(TASKS)).document["meta"]["record-count"] == 0
    assert (await client.get(f"{TASKS}/{subtitles.number}")).status == 404
