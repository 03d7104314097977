"""The document's actions, one after the other, with the members that it shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate

from services.api.domain.lifecycle import Stage
from services.api.domain.principal import SCOPES
from services.api.domain.queries import PublicationQuery, TaskQuery
from services.api.http.facades import sourceaudio
from services.api.use_cases.settings import SettingsFields
from tests.support.core import a_principal
from tests.support.publishing import BODY, published

if TYPE_CHECKING:
    from services.api.domain.publishing import Publication
    from tests.contract.sourceaudio.conftest import Site

URL = "https://cdn.example.com/in/84%20-%20Fat%20Dub%20Beat.wav"
WHO = a_principal()
PATHS = ("createJob", "upload", "setFormats", "publish", "checkJob", "list", "download")


async def uploaded(site: Site, number: int) -> Publication:
    """The upload of a number, its master accepted."""
    query = PublicationQuery(numbers=frozenset({number}))
    (found,) = (await site.core.use_cases.publications.list(WHO, query)).items
    task = await site.core.use_cases.import_tasks.get(WHO, found.task_id)
    await site.core.complete(task)
    return found


async def finish(site: Site, upload: Publication) -> None:
    """What a publisher does with a queued upload."""
    now = await site.core.use_cases.publications.get(WHO, upload.id)
    run = await site.core.claim(upload.id, Stage.PUBLISH, now.generation)
    told = published(now, run, site.store)
    assert await site.core.use_cases.runs.report(upload.id, run, told)


async def test_the_document_s_own_way_through(site: Site) -> None:
    job = await site.call("createJob", name="Imports for 05/10", email="me@example.com")
    assert job.keys() == {"job_id"}
    assert isinstance(job["job_id"], int)

    new = await site.call("upload", url=URL, job_id=job["job_id"])
    title = "84 - Fat Dub Beat"
    assert new == {
        "upload_id": new["upload_id"],
        "status": "uploaded",
        "formats": ["mp3"],
        "sources": [f"{title}.wav"],
        "meta": {"Title": title, "Filename": f"{title}.wav"},
    }

    changed = await site.call("setFormats", upload_id=new["upload_id"], formats="mp3,aiff")
    assert changed == {
        "result": "success",
        "track": {
            "upload_id": new["upload_id"],
            "status": "uploaded",
            "formats": ["mp3", "aiff"],
            "sources": ["wav"],
            "meta": {"Title": title, "Filename": f"{title}.wav"},
        },
        "added": ["mp3", "aiff"],
    }
    other = await site.call("upload", url=URL.replace("84", "85"), job_id=job["job_id"])
    assert await site.call("checkJob", job_id=job["job_id"]) == {}

    queued = await site.call("publish", job_id=job["job_id"], oncomplete="brent@example.com")
    assert queued == {
        "result": "success",
        "job_id": job["job_id"],
        "queued": 2,
        "oncomplete": "brent@example.com",
    }
    await finish(site, await uploaded(site, new["upload_id"]))
    assert await site.call("checkJob", job_id=job["job_id"]) == {"d": 1, "q": 1}
    await finish(site, await uploaded(site, other["upload_id"]))
    assert await site.call("checkJob", job_id=job["job_id"]) == {"d": 2}

    listed = await site.call("list", job_id=job["job_id"])
    assert listed.keys() == {"job_id", "total", "tracks"}
    assert [each["upload_id"] for each in listed["tracks"]] == [
        new["upload_id"],
        other["upload_id"],
    ]
    assert len({each["track_id"] for each in listed["tracks"]}) == 2
    assert listed["tracks"][0]["formats"] == ["mp3", "aiff"]
    assert listed["tracks"][0]["status"] == "published"


async def test_a_published_file_can_be_had(site: Site) -> None:
    new = await site.call("upload", url=URL, formats="mp3,flac")
    await site.call("publish")
    await finish(site, await uploaded(site, new["upload_id"]))
    link = await site.call("download", upload_id=new["upload_id"], format="flac")
    async with site.session.get(link["url"]) as response:
        assert response.headers["Content-Type"] == "audio/flac"
        assert response.headers["Content-Disposition"].endswith('-flac.flac"')
        assert await response.read() == BODY
    status, answer = await site.try_("download", upload_id=new["upload_id"], format="wav")
    assert (status, answer.keys()) == (404, {"error"})


async def test_without_a_job_the_site_s_own_is_used(site: Site) -> None:
    await site.core.use_cases.settings.update(
        WHO, SettingsFields(contact_email="ops@example.com", upload_master_type="cd")
    )
    new = await site.call("upload", url=URL)
    first = await site.call("publish", oncomplete="https://hooks.example.com/done")
    assert first["queued"] == 1
    again = await site.call("publish")
    assert again["job_id"] == first["job_id"]
    assert again["oncomplete"] == "https://hooks.example.com/done"
    upload = await uploaded(site, new["upload_id"])
    task = await site.core.use_cases.import_tasks.get(WHO, upload.task_id)
    assert task.master_type == "cd"


@pytest.mark.parametrize("how", ["query", "form", "json"])
async def test_parameters_come_in_any_way(site: Site, how: str) -> None:
    url, token = "/api/import/upload", {"token": site.token}
    flat = {"url": URL, "formats": "wav", "meta[Title]": "A song", "meta[Album]": "An album"}
    nested = {"url": URL, "formats": ["wav"], "meta": {"Title": "A song", "Album": "An album"}}
    ways: dict[str, dict[str, Any]] = {
        "query": {"params": flat | token},
        "form": {"data": flat | token},
        "json": {"json": nested | token},
    }
    sent = ways[how]
    method = "GET" if how == "query" else "POST"
    async with site.session.request(method, url, **sent) as response:
        answer = await response.json()
    assert answer["formats"] == ["wav"]
    assert answer["meta"]["Album"] == "An album"
    assert answer["meta"]["Title"] == "A song"


async def test_a_further_upload_to_a_track_is_an_update(site: Site) -> None:
    first = await site.call("upload", url=URL)
    job = await site.call("publish")
    listed = await site.call("list", job_id=job["job_id"])
    track = listed["tracks"][0]["track_id"]
    update = await site.call("upload", url=URL, track_id=track)
    assert update.keys() == {"result", "update_to", "update_id"}
    assert (update["result"], update["update_to"]) == ("uploaded", track)
    assert update["update_id"] != first["upload_id"]


async def test_what_is_wrong_says_error(site: Site) -> None:
    for status, action, parameters in (
        (422, "upload", {}),
        (422, "upload", {"url": "http://cdn.example.com/x.wav"}),
        (422, "upload", {"url": URL, "formats": "mp9"}),
        (422, "upload", {"url": URL, "track_id": "1", "upload_id": "1"}),
        (422, "upload", {"url": URL, "autopublish": "perhaps"}),
        (422, "upload", {"file": "x"}),
        (404, "upload", {"url": URL, "upload_id": "7"}),
        (422, "upload", {"url": URL, "job_id": "x"}),
        (404, "upload", {"url": URL, "job_id": "7"}),
        (404, "upload", {"url": URL, "track_id": "7"}),
        (422, "setFormats", {"upload_id": "1"}),
        (404, "setFormats", {"upload_id": "7", "formats": "mp3"}),
        (422, "checkJob", {}),
        (404, "checkJob", {"job_id": "7"}),
        (404, "list", {"job_id": str(2**62)}),
        (422, "publish", {"oncomplete": "nobody"}),
        (422, "createJob", {"email": "not an address"}),
        (404, "nothing", {}),
    ):
        answer = await site.try_(action, **parameters)
        assert (answer[0], answer[1].keys()) == (status, {"error"}), (action, answer)
    assert (await site.core.use_cases.import_tasks.list(WHO, TaskQuery())).total == 0


async def test_simultaneous_uploads_are_denied(site: Site) -> None:
    answers = await asyncio.gather(*(site.try_("upload", url=URL) for _ in range(8)))
    statuses = sorted(status for status, _ in answers)
    denied = [answer["error"] for status, answer in answers if status == 409]
    assert statuses[0] == 200
    assert set(denied) == {"Simultaneous uploads will be denied"}
    assert len(denied) == statuses.count(409) > 0
    assert (await site.try_("upload", url=URL))[0] == 200


async def test_another_site_s_numbers_lead_nowhere(site: Site) -> None:
    job = await site.call("createJob")
    new = await site.call("upload", url=URL, job_id=job["job_id"])
    theirs = await site.core.use_cases.tokens.issue("other", "test", SCOPES)
    other = type(site)(site.session, theirs, site.core, site.store)
    for action, parameters in (
        ("checkJob", job),
        ("list", job),
        ("publish", job),
        ("upload", {"url": URL, **job}),
        ("upload", {"url": URL, "upload_id": new["upload_id"]}),
        ("setFormats", {"upload_id": new["upload_id"], "formats": "mp3"}),
        ("download", {"upload_id": new["upload_id"], "format": "mp3"}),
    ):
        status, answer = await other.try_(action, **parameters)
        assert (status, answer) == (404, {"error": "There is no such thing."}), action


async def test_nobody_gets_in_and_every_scope_is_needed(site: Site) -> None:
    for path in PATHS:
        for method in ("GET", "POST"):
            for params in ({}, {"token": "nonsense"}):
                url = f"/api/import/{path}"
                async with site.session.request(method, url, params=params) as response:
                    assert response.status == 401, (method, path)
                    assert response.headers["WWW-Authenticate"].startswith("Bearer ")
                    assert (await response.json()).keys() == {"error"}
    issue = site.core.use_cases.tokens.issue
    for scope in ("publishing:write", "tasks:write", "tracks:write"):
        token = await issue("default", "test", SCOPES - {scope, "admin"})
        lacking = type(site)(site.session, token, site.core, site.store)
        status, answer = await lacking.try_("upload", url=URL)
        assert (status, scope in answer["error"]) == (403, True)


async def test_its_description_is_valid_and_open_to_everybody(site: Site) -> None:
    async with site.session.get("/api/import/openapi.json") as response:
        document = await response.json()
    validate(document)
    assert document["paths"].keys() == {f"/{path}" for path in PATHS}
    async with site.session.get("/api/import/docs") as response:
        assert "createJob" in await response.text()
    assert document["servers"] == [{"url": sourceaudio.PREFIX}]
