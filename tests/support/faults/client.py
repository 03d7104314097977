"""A client that does not give up, and writes down every promise that it was given."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

import aiohttp

from services.api.domain.lifecycle import FINAL
from tests.support import replies
from tests.support.faults import rows
from tests.support.faults.masters import throttled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Sequence

    from tests.support.faults.process import Process
    from tests.support.faults.system import System

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.2
MEDIA_TYPE = "application/vnd.api+json"
_TASKS = "/atmos-import-tasks"
_AWAY = frozenset({429, 502, 503})
_ATTEMPT = aiohttp.ClientTimeout(total=15)


@dataclass(slots=True, kw_only=True)
class Told:
    """What clients know of a task: the attributes that a 2xx confirmed last, and if it is deleted.

    ``md5`` is that of the bytes that its origin serves, where the test knows. ``unsure`` names the
    attributes whose last change was given up without an answer.
    """

    attributes: dict[str, Any]
    md5: str = ""
    deleted: bool = False
    unsure: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Ledger:
    """Every promise given to clients of a system, by task id."""

    tasks: dict[UUID, Told] = field(default_factory=dict)
    finished_at: float = 0.0
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_isrc(self) -> str:
        """An ISRC that nobody else of this system has."""
        return f"USF01{next(self._numbers):07d}"

    @property
    def living(self) -> list[UUID]:
        """The tasks that were made and not deleted."""
        return [id_ for id_, told in self.tasks.items() if not told.deleted]


class RefusedError(Exception):
    """The API refused, for good: ``status`` and its document."""

    def __init__(self, status: int, document: Any) -> None:
        """Take the answer."""
        super().__init__(f"{status}: {json.dumps(document)[:1000]}")
        self.status = status


class Client:
    """Speaks JSON:API with all replicas; repeats what got no answer, with the same key.

    Every method raises RefusedError, and TimeoutError when nobody answered within PATIENCE_SECONDS.
    ``repeats`` counts the requests that had no answer, or none that was an answer.
    """

    def __init__(self, system: System, apis: Sequence[Process]) -> None:
        """Speak with these replicas of a system, in the name of its token."""
        self._system = system
        self._apis = apis
        self.ledger = system.ledger
        self._turns = count()
        self.repeats = 0

    async def __aenter__(self) -> Self:
        """Open connections."""
        headers = {
            "Authorization": f"Bearer {self._system.token}",
            "Content-Type": MEDIA_TYPE,
            "Accept": MEDIA_TYPE,
        }
        # No connection is kept: a dead replica must not be met again by an old one.
        connector = aiohttp.TCPConnector(force_close=True, limit=64)
        self._http = aiohttp.ClientSession(headers=headers, connector=connector, timeout=_ATTEMPT)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close them."""
        await self._http.close()

    async def create(self, url: str, isrc: str = "", *, md5: str = "", **attributes: str) -> UUID:
        """Ask for an import into a track of its own; gives the task's id.

        ``md5`` is what the master is expected to have at the end, known to the checker only.
        """
        asked = {"url": url, "secondaryIsrc": isrc or self.ledger.new_isrc(), **attributes}
        track = await self._made("/tracks", _resource("tracks", {"title": "A track"}))
        linkage = {"track": {"data": {"type": "tracks", "id": track["id"]}}}
        document = _resource(_TASKS[1:], asked, relationships=linkage)
        made = await self._made(_TASKS, document)
        id_ = UUID(made["id"])
        self.ledger.tasks[id_] = Told(attributes=asked, md5=md5)
        return id_

    async def bring(
        self, path: str, body: bytes, *, bytes_per_second: int = 0, **attributes: str
    ) -> UUID:
        """Serve a master at this path of the origin, at this rate if any, and ask for its import.

        The checker will expect these very bytes.
        """
        reply = replies.file(body)
        url = self._system.serve(
            path, throttled(reply, bytes_per_second) if bytes_per_second else reply
        )
        return await self.create(url, md5=hashlib.md5(body).hexdigest(), **attributes)

    async def patch(
        self, id_: UUID, *, md5: str = "", if_match: str = "", **attributes: str | None
    ) -> Any:
        """Change attributes; gives the resource. ``md5``: as in ``create``, of a new url.

        ``if_match`` is the entity tag of the version that is to be changed, if not any.
        """
        told = self.ledger.tasks[id_]
        document = _resource(_TASKS[1:], attributes, id=str(id_))
        with _unsure(told, attributes.keys()):
            answered = await self.call("PATCH", f"{_TASKS}/{id_}", document, if_match=if_match)
        told.attributes |= attributes
        told.md5 = md5 or told.md5
        return answered["data"]

    async def delete(self, id_: UUID, *, if_match: str = "") -> None:
        """Delete a task; that it is gone already is well. ``if_match``: as in ``patch``."""
        told = self.ledger.tasks[id_]
        with _unsure(told, {"deleted"}):
            try:
                await self.call("DELETE", f"{_TASKS}/{id_}", if_match=if_match)
            except RefusedError as refusal:
                if refusal.status != 404:
                    raise
        told.deleted = True

    async def etag(self, id_: UUID) -> str:
        """The entity tag of a task's present version."""
        where = self._apis[next(self._turns) % len(self._apis)].answer["http"]
        async with self._http.get(f"{where}/api/v1{_TASKS}/{id_}") as answer:
            return answer.headers["ETag"]

    async def retry(self, id_: UUID) -> Any:
        """Start a failed task again; gives the resource."""
        answered = await self.call("POST", f"{_TASKS}/{id_}/retry")
        return answered["data"]

    async def get(self, id_: UUID) -> Any:
        """The resource as some replica shows it."""
        return (await self.call("GET", f"{_TASKS}/{id_}"))["data"]

    async def status(self, id_: UUID) -> str:
        """The status as some replica shows it."""
        status: str = (await self.get(id_))["attributes"]["status"]
        return status

    async def until(self, id_: UUID, *statuses: str, within: float = PATIENCE_SECONDS) -> Any:
        """Wait until a task has one of the statuses, or is final; gives the resource."""
        async with self._deadline(within):
            while True:
                found = await self.get(id_)
                if found["attributes"]["status"] in {*statuses, *FINAL}:
                    return found
                await asyncio.sleep(POLL_SECONDS)

    async def until_attempt(self, id_: UUID, number: int, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the stage of a task has begun this attempt, or the task is final."""
        async with self._deadline(within):
            while True:
                found = await self.get(id_)
                is_final = found["attributes"]["status"] in FINAL
                if is_final or found["meta"]["attempts"] >= number:
                    return
                await asyncio.sleep(POLL_SECONDS / 4)

    async def until_fetched(self, id_: UUID, size: float, within: float = PATIENCE_SECONDS) -> None:
        """Wait until the running download says that it has so many bytes."""
        async with self._deadline(within):
            while True:
                found = await self.get(id_)
                assert found["attributes"]["status"] in {"pending", "downloading"}, found
                if (found["meta"]["progress"] or {}).get("doneBytes", 0) >= size:
                    return
                await asyncio.sleep(POLL_SECONDS / 4)

    async def all_final(self, *ids: UUID, within: float = PATIENCE_SECONDS) -> dict[UUID, str]:
        """Wait until these tasks, or all of the ledger, are final; gives their statuses.

        Raises AssertionError that tells what the row of each other task says.
        """
        found: dict[UUID, str] = {}
        wanted = ids or tuple(self.ledger.living)
        async with self._deadline(within):
            while waiting := [id_ for id_ in wanted if id_ not in found]:
                statuses = await asyncio.gather(*(self.status(id_) for id_ in waiting))
                found |= {i: s for i, s in zip(waiting, statuses, strict=True) if s in FINAL}
                await asyncio.sleep(POLL_SECONDS if len(found) < len(wanted) else 0)
        self.ledger.finished_at = time.monotonic()
        return found

    async def all_completed(self, *ids: UUID, within: float = PATIENCE_SECONDS) -> None:
        """Wait as ``all_final`` does, and insist that all went well."""
        ended = await self.all_final(*ids, within=within)
        failed = [id_ for id_, status in ended.items() if status != "completed"]
        assert not failed, await rows.describe(self._system.database_url, failed)

    async def call(
        self, method: str, path: str, document: object = None, *, if_match: str = ""
    ) -> Any:
        """One request, as often as it takes; gives the document of its 2xx."""
        headers = {"Idempotency-Key": str(uuid4())} if method == "POST" else {}
        headers |= {"If-Match": if_match} if if_match else {}
        body = None if document is None else json.dumps(document).encode()
        until = time.monotonic() + PATIENCE_SECONDS
        last: object = None
        while time.monotonic() < until:
            where = self._apis[next(self._turns) % len(self._apis)].answer["http"]
            try:
                async with self._http.request(
                    method, f"{where}/api/v1{path}", data=body, headers=headers
                ) as answer:
                    text = await answer.text()
                    last = answer.status
            except (aiohttp.ClientError, TimeoutError) as error:
                last = error
            else:
                if answer.status not in _AWAY:
                    return _document(answer.status, text)
            self.repeats += 1
            await asyncio.sleep(0.1)
        raise TimeoutError(f"{method} {path}: nobody answered; the last was {last!r}")

    async def readiness(self) -> list[tuple[int, str]]:
        """What each replica says at /readyz: the status of HTTP, and its own."""
        said = []
        for api in self._apis:
            async with self._http.get(f"{api.answer['http']}/readyz") as answer:
                said.append((answer.status, str((await answer.json())["status"])))
        return said

    async def _made(self, path: str, document: object) -> Any:
        return (await self.call("POST", path, document))["data"]

    @asynccontextmanager
    async def _deadline(self, within: float) -> AsyncIterator[None]:
        """A time limit that says, when it is missed, what the rows of unfinished tasks say."""
        try:
            async with asyncio.timeout(within):
                yield
        except TimeoutError as error:
            said = await rows.describe(self._system.database_url)
            told = f"not within {within} s; {error}\nThe rows say:\n{said}"
            raise AssertionError(told) from None


@contextmanager
def _unsure(told: Told, names: Collection[str]) -> Iterator[None]:
    """Nobody knows these meanwhile, nor after a request that had no answer; a refusal is one."""
    before = set(told.unsure)
    told.unsure |= set(names)
    try:
        yield
    except RefusedError:
        told.unsure -= set(names) - before
        raise
    told.unsure -= set(names)


def _resource(type_: str, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"data": {"type": type_, "attributes": attributes, **more}}


def _document(status: int, text: str) -> Any:
    document = json.loads(text) if text else None
    if status >= 400:
        raise RefusedError(status, document)
    return document
