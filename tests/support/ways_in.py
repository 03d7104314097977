"""How a master comes in by each facade, and what that facade says of it in the end.

Another facade is another entry in WAYS.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support import replies
from tests.support.every_door import until
from tests.support.idol import TASKS, new_task
from tests.support.jsonapi import new_task as new_atmos_task
from tests.support.media import flac

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.every_door import Said, Visitor
    from tests.support.origin import Gate
    from tests.support.receiver import Receiver

    Saying = Callable[[], Awaitable[Said]]
    """Waits until the facade is done with the master, and gives what it says of it."""

FETCHED = ("pending", "downloading", "downloaded", "validating", "completed")
"""The statuses of a task whose master is at a URL."""
BROUGHT = FETCHED[FETCHED.index("downloaded") :]
"""Those of a task whose master is brought."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Who brings a master, and who is told of it.

    The origin gives the second half of it only when ``gate`` is open.
    """

    visitor: Visitor
    receiver: Receiver
    body: bytes
    gate: Gate

    def url(self, path: str) -> str:
        """Where the master can be fetched."""
        reply = replies.file(self.body, gate=self.gate, gate_at=len(self.body) // 2)
        return self.visitor.stack.origin.serve(path, reply)

    @property
    def md5(self) -> str:
        """The master's."""
        return hashlib.md5(self.body).hexdigest()

    async def track(self) -> Any:
        """A new track, as a resource object."""
        document = {"data": {"type": "tracks", "attributes": {"title": "A track"}}}
        return (await self.visitor.call("POST", "/api/v1/tracks", document, 201))["data"]


@dataclass(frozen=True, slots=True)
class Way:
    """One facade: how a master is brought there, and the statuses that its task goes through.

    The master is a Dolby Atmos one, which the first facade shows, unless it is this ``body``.
    """

    bring: Callable[[Guest], Awaitable[Saying]]
    life: tuple[str, ...] = FETCHED
    body: bytes = b""


async def by_atmos(guest: Guest) -> Saying:
    """By ``/api/v1/atmos-import-tasks``."""
    track = await guest.track()
    document = new_atmos_task(track["id"], url=guest.url("/atmos.wav"), declaredMd5=guest.md5)
    at = "/api/v1/atmos-import-tasks"
    made = (await guest.visitor.call("POST", at, document, 201))["data"]

    async def says() -> Said:
        shown = (await guest.visitor.call("GET", f"{at}/{made['id']}"))["data"]
        linked = (await guest.visitor.call("GET", f"{at}/{made['id']}/track"))["data"]
        return {
            "id": shown["id"],
            "track": linked["attributes"]["number"],
            "status": shown["attributes"]["status"],
            "md5": shown["attributes"]["actualMd5"],
        }

    return says


async def by_idol(guest: Guest) -> Saying:
    """By ``/api/v2/import-tasks``."""
    number = (await guest.track())["attributes"]["number"]
    given = {"master_type": "dolby_atmos", "url": guest.url("/idol.wav"), "precision": 24}
    made = await guest.visitor.call("POST", TASKS, new_task("tracks", number, **given), 201)

    async def says() -> Said:
        shown = (await guest.visitor.call("GET", f"{TASKS}/{made['data']['id']}"))["data"]
        return {
            "number": int(shown["id"]),
            "track": int(shown["relationships"]["attachable"]["data"]["id"]),
            "status": shown["attributes"]["status"],
            "md5": shown["attributes"]["md5"],
        }

    return says


async def by_publishing(guest: Guest) -> Saying:
    """By ``/api/import``, up to the call that tells that the job is published."""

    async def call(action: str, **parameters: object) -> Any:
        query = {name: str(value) for name, value in parameters.items()}
        async with guest.visitor.http.post(f"/api/import/{action}", data=query) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    job = await call("createJob", name="Every door")
    url = guest.url("/publishing.wav")
    upload = await call("upload", url=url, master_type="dolby_atmos", **job)
    await call("publish", oncomplete=guest.receiver.url("/oncomplete"), **job)

    async def says() -> Said:
        async def is_published() -> bool:
            return bool(await call("checkJob", **job) == {"d": 1})

        async def is_told() -> bool:
            return "/oncomplete" in [each.path for each in guest.receiver.requests]

        await until(is_published)
        await until(is_told)
        (track,) = (await call("list", **job))["tracks"]
        assert (track["upload_id"], track["status"]) == (upload["upload_id"], "published")
        return {"track": track["track_id"], "status": "completed"}

    return says


async def by_session(guest: Guest) -> Saying:
    """By ``/v1/upload_session``: put by somebody without a token."""

    async def post(path: str, **body: object) -> Any:
        async with guest.visitor.http.post(path, json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    document = {"data": {"type": "collections", "attributes": {"title": "Every door"}}}
    made = await guest.visitor.call("POST", "/api/v1/collections", document, 201)
    begun = await post("/v1/upload_session", collection_id=made["data"]["id"])
    wanted = {"master_type": "dolby_atmos"}
    path = f"/v1/upload/{begun['upload_session_id']}/track"
    added = await post(path, file_name="master.wav", metadata=wanted)
    link = added["track_upload"]
    async with (
        aiohttp.ClientSession() as anybody,
        anybody.request(link["method"], link["upload_url"], data=guest.body) as response,
    ):
        assert response.status == 200, await response.text()
        md5 = response.headers["ETag"].strip('"')

    async def says() -> Said:
        return {"track_id": added["track_id"], "md5": md5}

    return says


async def by_upload_track(guest: Guest) -> Saying:
    """By ``/datocms``: an audio track of an upload."""
    headers = {"X-Api-Version": "3", "Accept": "application/json"}

    async def post(at: str, type_: str, /, **attributes: str) -> Any:
        body = {"data": {"type": type_, "attributes": attributes}}
        http = guest.visitor.http
        async with http.post(f"/datocms{at}", json=body, headers=headers) as response:
            assert response.status in {200, 202}, await response.text()
            return (await response.json())["data"]

    async def result(job: Any) -> Any:
        found: list[Any] = []

        async def is_over() -> bool:
            path = f"/datocms/job-results/{job['id']}"
            async with guest.visitor.http.get(path, headers=headers) as response:
                if response.status == 200:
                    found.append((await response.json())["data"]["attributes"])
                return bool(found)

        await until(is_over)
        assert found[0]["status"] == 200, found
        return found[0]["payload"]["data"]

    request = await post("/upload-requests", "upload_request", filename="clip.mp4")
    link = request["attributes"]
    async with (
        aiohttp.ClientSession() as anybody,
        anybody.put(link["url"], data=b"clip", headers=link["request_headers"]) as response,
    ):
        assert response.status == 200, await response.text()
    upload = await result(await post("/uploads", "upload", path=request["id"]))
    job = await post(
        f"/uploads/{upload['id']}/tracks",
        "upload_track",
        url_or_upload_request_id=guest.url("/track.wav"),
        type="audio",
        language_code="it-IT",
    )

    async def says() -> Said:
        track = (await result(job))["attributes"]
        assert (track["status"], track["name"]) == ("ready", "Italiano")
        return {"status": "completed"}

    return says


WAYS = {
    "atmos": Way(by_atmos),
    "idol": Way(by_idol),
    "publishing": Way(by_publishing),
    "session": Way(by_session, BROUGHT),
    "upload track": Way(by_upload_track, body=flac.wave(flac.CD)),
}
