"""Records over HTTP: what was accepted, to read only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Accepted, error
from tests.support.core import FORMAT, MD5, a_principal

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.jsonapi import Client

URL = "https://domain.com/api/v1/records"


async def _record(core: Core, isrc: str) -> tuple[str, str, str]:
    """A record: its id, its task's and its track's."""
    task = await core.complete(await core.task(isrc))
    assert task.target is not None
    return str(task.record_id), str(task.id), str(task.target.id)


async def test_get(client: Client, core: Core) -> None:
    id_, _, _ = await _record(core, "USRC12345678")
    answer = await client.get(f"/records/{id_}")
    url = f"{URL}/{id_}"
    expected = {
        "data": {
            "type": "records",
            "id": id_,
            "attributes": {
                "isrc": "USRC12345678",
                "md5": MD5,
                "byteSize": 1000,
                "masterType": "dolby_atmos",
                "format": {
                    "container": "RIFF",
                    "codec": "PCM",
                    "sampleRate": None,
                    "bitDepth": None,
                    "channels": 12,
                    "bedChannels": None,
                    "objects": None,
                    "duration": None,
                },
                "createdAt": answer.document["data"]["attributes"]["createdAt"],
            },
            "relationships": {
                "track": {
                    "links": {
                        "related": f"{url}/track",
                        "self": f"{url}/relationships/track",
                    }
                },
                "importTask": {
                    "links": {
                        "related": f"{url}/import-task",
                        "self": f"{url}/relationships/import-task",
                    }
                },
            },
            "links": {"self": url},
            "meta": {"warnings": [], "validationReport": None},
        },
        "jsonapi": {"version": "1.0"},
        "links": {"self": url, "describedby": "https://domain.com/api/v1/openapi.json"},
    }
    assert answer.status == 200
    assert answer.body == msgspec.json.encode(expected)


async def test_format_and_warnings(client: Client, core: Core) -> None:
    task = await core.task()
    await core.store(task)
    run = await core.claim(task.id, Stage.VALIDATE)
    seen = FORMAT | {
        "sample_rate_hertz": 48000,
        "bit_depth": 24,
        "bed_channels": 10,
        "objects": 0,
        "duration_seconds": 3.5,
    }
    warning = {
        **error("loud", "Louder than usual.", measured="-10 LKFS"),
        "severity": "warning",
    }
    accepted = Accepted(md5=MD5, size_bytes=1000, format=seen, problems=(warning,))
    assert await core.use_cases.runs.report(task.id, run, accepted)
    task = await core.use_cases.import_tasks.get(a_principal(), task.id)
    data = (await client.get(f"/records/{task.record_id}")).document["data"]
    assert data["attributes"]["format"] == {
        "container": "RIFF",
        "codec": "PCM",
        "sampleRate": 48000,
        "bitDepth": 24,
        "channels": 12,
        "bedChannels": 10,
        "objects": 0,
        "duration": 3.5,
    }
    [shown] = data["meta"]["warnings"]
    assert (shown["code"], shown["severity"], shown["measured"]) == ("loud", "warning", "-10 LKFS")


async def test_relationships(client: Client, core: Core) -> None:
    id_, task, track = await _record(core, "USRC12345678")
    for name, type_, other in (
        ("track", "tracks", track),
        ("import-task", "atmos-import-tasks", task),
    ):
        linkage = await client.get(f"/records/{id_}/relationships/{name}")
        assert linkage.document["data"] == {"type": type_, "id": other}
        related = await client.get(f"/records/{id_}/{name}")
        alone = await client.get(f"/{type_}/{other}")
        assert related.document["data"] == alone.document["data"]


async def test_filters(client: Client, core: Core) -> None:
    first = await _record(core, "USRC12345671")
    second = await _record(core, "USRC12345672")
    for query, expected in {
        "": [first, second],
        f"filter[id]={second[0]}": [second],
        f"filter[track-id]={first[2]},{uuid4()}": [first],
        "filter[isrc]=usrc12345672": [second],
        "filter[isrc]=x": [],
    }.items():
        document: Any = (await client.get(f"/records?{query}")).document
        assert [each["id"] for each in document["data"]] == [each[0] for each in expected], query
        assert document["meta"]["page"]["total"] == len(expected), query


async def test_read_only(client: Client, core: Core) -> None:
    id_, _, track = await _record(core, "USRC12345678")
    change = {"data": {"type": "records", "id": id_, "attributes": {"isrc": None}}}
    answer = await client.send("PATCH", f"/records/{id_}", change)
    assert answer.status == 403
    assert answer.refusals == [("", "The records resource is read-only.")]
    linkage = {"data": {"type": "tracks", "id": track}}
    answer = await client.send("PATCH", f"/records/{id_}/relationships/track", linkage)
    assert (answer.status, answer.refusals) == (403, [("", "The track relationship is read-only.")])
    assert (await client.send("POST", "/records", {"data": {"type": "records"}})).status == 405
    assert (await client.delete(f"/records/{id_}")).status == 405
