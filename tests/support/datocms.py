"""A site with upload tracks, and a client that speaks as the official one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.api.domain.lifecycle import Stage
from services.api.domain.queries import TaskQuery
from services.api.domain.runs import Accepted, Refused
from tests.support.core import FORMAT, a_principal
from tests.support.jsonapi import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientSession

    from services.api.domain.runs import Outcome
    from services.api.domain.task import Task
    from tests.support.core import Core

HEADERS = {"Accept": "application/json", "X-Api-Version": "3"}
LIMIT = 30
URL = "https://cdn.example.com/it.srt"


@dataclass(frozen=True, slots=True)
class Site:
    """A site as its client sees it; the core behind it for what workers would do."""

    session: ClientSession
    token: str
    core: Core
    now: list[float]

    async def call(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Answer:
        """Ask for something, once the limit allows it; in names of headers, _ stands for -."""
        self.now[0] += 60
        return await self.call_at_once(method, path, body, token=token, **headers)

    async def call_at_once(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Answer:
        """Ask for something now; the headers are added to those of the client."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = HEADERS | {"Authorization": f"Bearer {token or self.token}"} | named
        async with self.session.request(
            method, f"/datocms{path}", json=body, headers=sent
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def result(self, answer: Answer) -> Any:
        """The attributes of the result of the job that a write has answered with."""
        assert answer.status == 202, answer.document
        job = answer.document["data"]
        assert (job["type"], job.keys()) == ("job", {"type", "id"})
        told = await self.call("GET", f"/job-results/{job['id']}")
        assert told.status == 200, told.document
        data = told.document["data"]
        assert (data["type"], data["id"]) == ("job_result", job["id"])
        return data["attributes"]

    async def upload_request(self, body: bytes = b"moving pictures", **attributes: str) -> str:
        """The id of an upload request whose file is there."""
        document = {"data": {"type": "upload_request", "attributes": attributes}}
        answer = await self.call("POST", "/upload-requests", document)
        assert answer.status == 200, answer.document
        data = answer.document["data"]
        where, headers = data["attributes"]["url"], data["attributes"]["request_headers"]
        async with self.session.put(where, data=body, headers=headers) as put:
            assert put.status == 200, await put.text()
        return str(data["id"])

    async def upload(self) -> str:
        """The id of a new upload."""
        path = await self.upload_request(filename="clip.mp4")
        document = {"data": {"type": "upload", "attributes": {"path": path}}}
        result = await self.result(await self.call("POST", "/uploads", document))
        return str(result["payload"]["data"]["id"])

    async def create_track(self, upload: str, **attributes: object) -> Answer:
        """The answer to a new track; Italian subtitles by URL unless told otherwise."""
        document = track_document(attributes)
        return await self.call("POST", f"/uploads/{upload}/tracks", document)

    async def task(self) -> Task:
        """The newest import task."""
        query = TaskQuery(order=(("created_at", True),), limit=1)
        (task,) = (await self.core.use_cases.import_tasks.list(a_principal(), query)).items
        return task

    async def end(self, *problems: dict[str, str]) -> None:
        """What workers do with the newest task: accept its file unless there are problems."""
        task = await self.task()
        if task.master is None:
            await self.core.store(task)
            task = await self.task()
        assert task.master is not None
        run = await self.core.claim(task.id, Stage.VALIDATE, task.generation)
        master = task.master
        ended: Outcome = Accepted(md5=master.md5, size_bytes=master.size_bytes, format=FORMAT)
        if problems:
            ended = Refused(problems=problems)
        assert await self.core.use_cases.runs.report(task.id, run, ended)


def track_document(attributes: Mapping[str, object]) -> Any:
    """The document of a new track."""
    known = {"url_or_upload_request_id": URL, "type": "subtitles", "language_code": "it-IT"}
    return {"data": {"type": "upload_track", "attributes": {**known, **attributes}}}
