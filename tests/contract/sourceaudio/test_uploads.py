"""Masters that come as files in forms."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import FormData

from services.api.domain.lifecycle import Status
from services.api.domain.principal import SCOPES
from services.api.domain.queries import PublicationQuery, TaskQuery, UploadQuery
from services.api.http.plain import parameters
from services.api.http.server import make_app
from tests.support.core import a_principal
from tests.support.jsonapi import serving
from tests.support.uploading import blobs, until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from services.api.domain.task import Task
    from tests.contract.sourceaudio.conftest import Site

WHO = a_principal()
FILE = b"RIFF" + bytes(range(256)) * 1000
NAME = "84 - Fat Dub Beat.wav"
TOKEN = "token"


async def send(site: Site, *fields: tuple[str, object], **headers: str) -> tuple[int, Any]:
    """The status and the JSON of an upload by a form with these fields, bytes as a file."""
    form = FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields:
        form.add_field(name, value, filename=NAME if isinstance(value, bytes) else None)
    async with site.session.post("/api/import/upload", data=form, headers=headers) as response:
        assert response.content_type == "application/json"
        return response.status, await response.json()


async def the_task(site: Site, number: int) -> Task:
    query = PublicationQuery(numbers=frozenset({number}))
    (found,) = (await site.core.use_cases.publications.list(WHO, query)).items
    return await site.core.use_cases.import_tasks.get(WHO, found.task_id)


async def left(site: Site) -> tuple[int, int, int]:
    """How many tasks, uploads and stored files there are when all that is doomed is gone."""
    cases = site.core.use_cases
    for key in await cases.blobs.doomed(100):
        await site.store.delete(key)
    tasks = (await cases.import_tasks.list(WHO, TaskQuery())).total
    uploads = (await cases.uploads.list(WHO, UploadQuery())).total
    return tasks, uploads, len(await blobs(site.store))


async def test_a_file_is_uploaded(site: Site) -> None:
    fields = (TOKEN, site.token), ("formats", "mp3,flac"), ("meta[Artist]", "Somebody")
    status, answer = await send(site, *fields, ("file", FILE))
    assert (status, answer) == (
        200,
        {
            "upload_id": answer["upload_id"],
            "status": "uploaded",
            "formats": ["mp3", "flac"],
            "sources": [NAME],
            "meta": {"Title": "84 - Fat Dub Beat", "Filename": NAME, "Artist": "Somebody"},
        },
    )
    task = await the_task(site, answer["upload_id"])
    assert (task.status, task.source_uri) == (Status.DOWNLOADED, None)
    assert task.master is not None
    assert task.master.md5 == hashlib.md5(FILE).hexdigest()
    assert await blobs(site.store) == {task.master.blob_key: len(FILE)}


async def test_a_form_may_name_a_url(site: Site) -> None:
    url = ("url", "https://cdn.example.com/a.wav")
    assert (await send(site, (TOKEN, site.token), url))[0] == 200
    status, answer = await send(site, (TOKEN, site.token), url, ("file", FILE))
    assert (status, answer.keys()) == (422, {"error"})


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ((), ((TOKEN, None),), 401),
        (((TOKEN, "nonsense"),), (), 401),
        (((TOKEN, None),), (("formats", "mp3"),), 422),
        (((TOKEN, None), ("formats", "mp9")), (), 422),
        (((TOKEN, None), ("job_id", "7")), (), 404),
        (((TOKEN, None), ("meta[Comment]", "two\nlines")), (), 422),
        (((TOKEN, None), ("meta[Comment]", "x" * 70_000)), (), 413),
        (((TOKEN, None), *((f"x{n}", "x") for n in range(200))), (), 413),
    ],
    ids=["no token", "token", "late", "formats", "job", "metadata", "much", "many"],
)
async def test_what_is_refused_leaves_nothing(
    site: Site, before: tuple[Any, ...], after: tuple[Any, ...], status: int
) -> None:
    fields = [
        (name, site.token if value is None else value)
        for name, value in (*before, ("file", FILE), *after)
    ]
    answer = await send(site, *fields)
    assert (answer[0], answer[1].keys()) == (status, {"error"})
    assert await left(site) == (0, 0, 0)
    assert (await send(site, (TOKEN, site.token), ("file", FILE)))[0] == 200


async def test_a_file_that_breaks_off_leaves_nothing(site: Site) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    async with site.session.post(
        "/api/import/upload",
        data=head + FILE,
        headers={
            "Authorization": f"Bearer {site.token}",
            "Content-Type": "multipart/form-data; boundary=x",
        },
    ) as response:
        assert response.status == 400
        assert (await response.json()).keys() == {"error"}
    assert await left(site) == (0, 0, 0)


async def test_a_file_has_the_limits_of_every_upload(site: Site) -> None:
    cases = site.core.use_cases
    uploads = replace(cases.uploads, max_bytes=len(FILE) - 1)
    small = replace(cases, uploads=uploads, receiving=replace(cases.receiving, uploads=uploads))
    for slots, status in ((1, 413), (0, 503)):
        app = make_app(small, public_url=None, ready=cases.ready, upload_slots=slots)
        async with serving(app) as session:
            there = type(site)(session, site.token, site.core, site.store)
            assert (await send(there, (TOKEN, site.token), ("file", FILE)))[0] == status
    assert await left(site) == (0, 0, 0)


async def test_what_comes_before_a_file_comes_soon(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parameters, "BODY_SECONDS", 0.1)
    answered = asyncio.Event()

    async def slowly() -> AsyncGenerator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="token"\r\n\r\n'
        await answered.wait()

    async with (
        asyncio.timeout(30),  # half of what a body that stalls is given
        site.session.post(
            "/api/import/upload",
            data=slowly(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        ) as response,
    ):
        answered.set()
        assert (response.status, response.headers["Connection"]) == (408, "close")
        assert (await response.json()).keys() == {"error"}


async def test_a_second_upload_while_a_file_comes_is_denied(site: Site) -> None:
    answers: list[tuple[int, Any]] = []

    async def slowly() -> AsyncGenerator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="f.wav"\r\n\r\n'
        yield FILE * 9  # more than is gathered before it is written
        await until(site.store, is_empty=False)
        answers.append(await send(site, (TOKEN, site.token), ("file", FILE)))
        yield b"\r\n--x--\r\n"

    async with site.session.post(
        "/api/import/upload",
        data=slowly(),
        headers={
            "Authorization": f"Bearer {site.token}",
            "Content-Type": "multipart/form-data; boundary=x",
        },
    ) as response:
        assert response.status == 200
    assert answers == [(409, {"error": "Simultaneous uploads will be denied"})]


async def test_a_file_needs_the_scope_of_uploads(site: Site) -> None:
    scopes = SCOPES - {"uploads:write", "admin"}
    token = await site.core.use_cases.tokens.issue("default", "test", scopes)
    status, answer = await send(site, (TOKEN, token), ("file", FILE))
    assert (status, "uploads:write" in answer["error"]) == (403, True)
