"""A small JSON:API client for tests: it sends what it is told and hides nothing of the answer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import ClientSession
from yarl import URL

from services.api.http.server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import web

MEDIA_TYPE = "application/vnd.api+json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``document`` is None for an empty body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The document in the body."""
        return msgspec.json.decode(self.body) if self.body else None

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """Where and what each error is."""
        return [
            (next(iter(error.get("source", {"": ""}).values())), error["detail"])
            for error in self.document["errors"]
        ]


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks as the holder of a token; paths are below /api/v1 unless they say otherwise."""

    session: ClientSession
    token: str | None

    async def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> Answer:
        """Send exactly this; in names of headers, _ stands for -."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        url = URL(path if path.startswith("/api/") else f"/api/v1{path}", encoded=True)
        skipped = [] if "Content-Type" in sent else ["Content-Type"]
        async with self.session.request(
            method, url, data=body, headers=sent, skip_auto_headers=skipped
        ) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def get(self, path: str) -> Answer:
        """Fetch."""
        return await self.request("GET", path, Accept=MEDIA_TYPE)

    async def send(self, method: str, path: str, document: object) -> Answer:
        """Send a document."""
        body = msgspec.json.encode(document)
        return await self.request(method, path, body, Accept=MEDIA_TYPE, Content_Type=MEDIA_TYPE)

    async def delete(self, path: str) -> Answer:
        """Delete."""
        return await self.request("DELETE", path, Accept=MEDIA_TYPE)

    async def create_track(self, title: str = "A track") -> str:
        """The id of a new track."""
        data = {"type": "tracks", "attributes": {"title": title}}
        answer = await self.send("POST", "/tracks", {"data": data})
        assert answer.status == 201, answer.body
        return str(answer.document["data"]["id"])

    async def subscribe(self, **attributes: object) -> str:
        """The id of a new subscription."""
        target = {"target": "https://hooks.example.com/in"}
        data = {"type": "subscriptions", "attributes": target | attributes}
        answer = await self.send("POST", "/subscriptions", {"data": data})
        assert answer.status == 201, answer.body
        return str(answer.document["data"]["id"])

    async def create_task(self, track: str, **attributes: object) -> Answer:
        """Ask for a task for a track."""
        return await self.send("POST", "/atmos-import-tasks", new_task(track, **attributes))


@asynccontextmanager
async def serving(app: web.Application, host: str = "127.0.0.1") -> AsyncIterator[ClientSession]:
    """A session with a server of its own on a free port."""
    runner, port = await serve(app, host, 0)
    try:
        async with ClientSession(f"http://{host}:{port}") as session:
            yield session
    finally:
        await runner.cleanup()


def new_task(track: str, **attributes: object) -> dict[str, Any]:
    """The document that asks for a task."""
    given = {
        "url": "https://cdn.example.com/audio/track-atmos.mp4",
        "secondaryIsrc": "USRC12345678",
    }
    return {
        "data": {
            "type": "atmos-import-tasks",
            "attributes": given | attributes,
            "relationships": {"track": {"data": {"type": "tracks", "id": track}}},
        }
    }
