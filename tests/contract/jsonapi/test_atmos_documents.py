"""The published documents of the Atmos API, member by member and in their order.

Each expected document is the published one with this test's ids and moments in it. What is told
beyond it stands in the resource's ``meta`` and its last attribute, which are taken off before
comparing, and in the last link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Accepted, Refused, Stored, error
from services.api.domain.task import Master
from tests.support.core import FORMAT, MD5

if TYPE_CHECKING:
    from services.api.domain.task import Task
    from tests.support.core import Core
    from tests.support.jsonapi import Answer, Client

TASK = """{
  "type": "atmos-import-tasks",
  "id": "<ID>",
  "attributes": {
    "url": "https://cdn.example.com/audio/track-atmos.mp4",
    "secondaryIsrc": "USRC12345678",
    "declaredMd5": null,
    "status": "pending",
    "byteSize": null,
    "actualMd5": null,
    "validationErrors": null,
    "createdAt": "<CREATED>",
    "updatedAt": "<UPDATED>"
  },
  "relationships": {
    "track": {
      "links": {
        "related": "https://domain.com/api/v1/atmos-import-tasks/<ID>/track",
        "self": "https://domain.com/api/v1/atmos-import-tasks/<ID>/relationships/track"
      }
    },
    "record": {
      "links": {
        "related": "https://domain.com/api/v1/atmos-import-tasks/<ID>/record",
        "self": "https://domain.com/api/v1/atmos-import-tasks/<ID>/relationships/record"
      }
    }
  },
  "links": {
    "self": "https://domain.com/api/v1/atmos-import-tasks/<ID>"
  }
}"""
SINGLE = (
    '{"data": '
    + TASK
    + """, "jsonapi": {"version": "1.0"},
"links": {
  "self": "https://domain.com/api/v1/atmos-import-tasks/<ID>",
  "describedby": "https://domain.com/api/v1/openapi.json"
}
}"""
)
LIST = (
    '{"data": ['
    + TASK
    + """],
"meta": {
  "page": {"currentPage": 1, "from": 1, "lastPage": 3, "perPage": 1, "to": 1, "total": 3}
},
"jsonapi": {"version": "1.0"},
"links": {
  "first": "https://domain.com/api/v1/atmos-import-tasks?page%5Bnumber%5D=1&page%5Bsize%5D=1",
  "last": "https://domain.com/api/v1/atmos-import-tasks?page%5Bnumber%5D=3&page%5Bsize%5D=1",
  "next": "https://domain.com/api/v1/atmos-import-tasks?page%5Bnumber%5D=2&page%5Bsize%5D=1",
  "describedby": "https://domain.com/api/v1/openapi.json"
}
}"""
)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def _same(answer: Answer, expected: str, data: dict[str, Any], **attributes: object) -> None:
    """Compare bytes, after the variable parts were checked and put in."""
    shown = data["attributes"]
    assert MOMENT.fullmatch(shown["createdAt"])
    assert MOMENT.fullmatch(shown["updatedAt"])
    text = expected.replace("<ID>", data["id"])
    text = text.replace("<CREATED>", shown["createdAt"]).replace("<UPDATED>", shown["updatedAt"])
    wanted = msgspec.json.decode(text)
    first = wanted["data"] if isinstance(wanted["data"], dict) else wanted["data"][0]
    first["attributes"] |= attributes
    document = answer.document
    told = document["data"] if isinstance(document["data"], dict) else document["data"][0]
    del told["meta"]
    assert told["attributes"].popitem() == ("deliveryProfile", None)
    assert msgspec.json.encode(document) == msgspec.json.encode(wanted)


async def test_create(client: Client) -> None:
    track = await client.create_track()
    answer = await client.create_task(track, declaredMd5="d41d8cd98f00b204e9800998ecf8427e")
    assert answer.status == 201
    data = answer.document["data"]
    _same(answer, SINGLE, data, declaredMd5="d41d8cd98f00b204e9800998ecf8427e")
    assert answer.headers["Location"] == data["links"]["self"]
    assert data["attributes"]["createdAt"] == data["attributes"]["updatedAt"]


async def test_get(client: Client) -> None:
    id_ = (await client.create_task(await client.create_track())).document["data"]["id"]
    answer = await client.get(f"/atmos-import-tasks/{id_}")
    assert answer.status == 200
    _same(answer, SINGLE, answer.document["data"])


async def test_get_completed(client: Client, core: Core) -> None:
    task = await core.task()
    await core.complete(task)
    answer = await client.get(f"/atmos-import-tasks/{task.id}")
    _same(
        answer,
        SINGLE,
        answer.document["data"],
        url="https://cdn.example.com/master.wav",
        status="completed",
        byteSize=1000,
        actualMd5=MD5,
    )


async def test_every_status(client: Client, core: Core) -> None:
    task, lost, wrong = [await core.task(f"USRC1234567{n}") for n in range(3)]
    seen: list[str] = []

    async def look(at: Task) -> None:
        attributes = (await client.get(f"/atmos-import-tasks/{at.id}")).document["data"]
        seen.append(attributes["attributes"]["status"])

    async def refuse(what: Task, stage: Stage) -> None:
        refused = Refused(problems=(error("odd", "Odd."),))
        run = await core.claim(what.id, stage)
        assert await core.use_cases.runs.report(what.id, run, refused)
        await look(what)

    await look(task)
    download = await core.claim(task.id, Stage.DOWNLOAD)
    await look(task)
    master = Master(blob_key=f"{task.id}", size_bytes=1000, md5=MD5)
    assert await core.use_cases.runs.report(task.id, download, Stored(master=master))
    await look(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    await look(task)
    accepted = Accepted(md5=MD5, size_bytes=1000, format=FORMAT)
    assert await core.use_cases.runs.report(task.id, run, accepted)
    await look(task)
    await refuse(lost, Stage.DOWNLOAD)
    await core.store(wrong)
    await refuse(wrong, Stage.VALIDATE)
    assert seen == [
        "pending",
        "downloading",
        "downloaded",
        "validating",
        "completed",
        "download_failed",
        "validation_failed",
    ]


async def test_list(client: Client) -> None:
    track = await client.create_track()
    for _ in range(3):
        await client.create_task(track)
    answer = await client.get("/atmos-import-tasks?page[size]=1")
    assert answer.status == 200
    _same(answer, LIST, answer.document["data"][0])


async def test_update(client: Client) -> None:
    before = (await client.create_task(await client.create_track())).document["data"]
    attributes = {
        "url": "https://cdn.example.com/audio/track-atmos-v2.mp4",
        "secondaryIsrc": "USRC12345679",
    }
    change = {"data": {"type": before["type"], "id": before["id"], "attributes": attributes}}
    answer = await client.send("PATCH", f"/atmos-import-tasks/{before['id']}", change)
    assert answer.status == 200
    after = answer.document["data"]
    _same(answer, SINGLE, after, **attributes)
    assert after["attributes"]["createdAt"] == before["attributes"]["createdAt"]
    assert after["attributes"]["updatedAt"] > before["attributes"]["updatedAt"]


async def test_taken_isrc(client: Client, core: Core) -> None:
    await core.complete(await core.task("USRC12345678"))
    answer = await client.create_task(await client.create_track())
    assert answer.status == 422
    assert answer.body == msgspec.json.encode(
        {
            "jsonapi": {"version": "1.0"},
            "errors": [
                {
                    "detail": "The secondary isrc has already been taken.",
                    "source": {"pointer": "/data/attributes/secondaryIsrc"},
                    "status": "422",
                    "title": "Unprocessable Entity",
                }
            ],
        }
    )


async def test_delete(client: Client) -> None:
    id_ = (await client.create_task(await client.create_track())).document["data"]["id"]
    gone = await client.delete(f"/atmos-import-tasks/{id_}")
    assert (gone.status, gone.body) == (204, b"")
    assert "Content-Type" not in gone.headers
    for again in (
        await client.delete(f"/atmos-import-tasks/{id_}"),
        await client.get(f"/atmos-import-tasks/{id_}"),
    ):
        assert again.status == 404
        assert again.document == {
            "jsonapi": {"version": "1.0"},
            "errors": [
                {
                    "detail": "The requested resource does not exist.",
                    "status": "404",
                    "title": "Not Found",
                }
            ],
        }
