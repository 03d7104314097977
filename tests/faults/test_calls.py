"""Callers that give up, and connections that say little or nothing: the API serves the others."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import grpc
from sqlalchemy import select

from services.api.db.engine import open_engines
from services.api.db.tables import idempotency_keys
from stagedoor.v1.import_task_service_pb2 import (
    CreateImportTaskRequest,
    DeleteImportTaskRequest,
    ImportTask,
)
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from tests.support import replies
from tests.support.faults import Told, rows, small
from tests.support.faults.process import without

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceAsyncStub
    from tests.support.faults import Process, System

CALLS = 200
CALLERS = 8
# The others are deleted before they are fetched, which would take long and prove no more.
KEPT = 5
SHORTEST_SECONDS = 0.001
GIVEN_UP = {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}

IDLE = 440
DRIPPING = 30
DRIP_SECONDS = 0.5
ROOM = 40
# The server waits 15 s for a request, a head included, and 10 s for a body.
CLOSED_WITHIN = 20.0
_PREFIX = "importTasks/"
HEAD = "POST /api/v1/tracks HTTP/1.1\r\nHost: h\r\n"


class Hurry:
    """Creates import tasks over gRPC and gives up after some milliseconds.

    ``cut_off`` has the requests that got no answer.
    """

    def __init__(self, system: System, stub: ImportTaskServiceAsyncStub) -> None:
        """Ask one replica of a system."""
        self._system = system
        self._stub = stub
        self._metadata = (("authorization", f"Bearer {system.token}"),)
        self.cut_off: list[CreateImportTaskRequest] = []

    async def create(
        self, request: CreateImportTaskRequest, seconds: float, *, cancel: bool
    ) -> None:
        """Ask, and give up so soon: by a deadline that the server knows of, or by hanging up."""
        timeout = None if cancel else seconds
        call = self._stub.CreateImportTask(request, metadata=self._metadata, timeout=timeout)
        if cancel:
            asyncio.get_running_loop().call_later(seconds, call.cancel)
        try:
            self._note(request, await call)
        except asyncio.CancelledError:
            self.cut_off.append(request)
        except grpc.aio.AioRpcError as error:
            if error.code() not in GIVEN_UP:
                raise
            self.cut_off.append(request)

    async def patience(self, url: str) -> float:
        """How long the slowest of as many calls takes as will be made at a time, in seconds."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await asyncio.gather(*(self.repeat(a_request(self._system, url)) for _ in range(CALLERS)))
        return clock() - began

    async def repeat(self, request: CreateImportTaskRequest) -> None:
        """Ask again, with the same key and with patience."""
        call = self._stub.CreateImportTask(request, metadata=self._metadata, timeout=30)
        self._note(request, await call)

    async def delete(self, id_: UUID) -> None:
        """Delete a task."""
        request = DeleteImportTaskRequest(name=f"{_PREFIX}{id_}")
        await self._stub.DeleteImportTask(request, metadata=self._metadata, timeout=30)
        self._system.ledger.tasks[id_].deleted = True

    def _note(self, request: CreateImportTaskRequest, made: ImportTask) -> None:
        asked = {"url": request.import_task.source_uri, "secondaryIsrc": request.import_task.isrc}
        id_ = UUID(made.name.removeprefix(_PREFIX))
        self._system.ledger.tasks[id_] = Told(attributes=asked)


@asynccontextmanager
async def in_a_hurry(system: System) -> AsyncIterator[list[Hurry]]:
    """One caller of each replica."""
    async with AsyncExitStack() as stack:
        hurries = []
        for address in system.grpc:
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
            hurries.append(Hurry(system, ImportTaskServiceStub(channel)))
        yield hurries


def a_request(system: System, url: str) -> CreateImportTaskRequest:
    """One create, with a key of its own."""
    task = ImportTask(source_uri=url, isrc=system.ledger.new_isrc())
    return CreateImportTaskRequest(import_task=task, request_id=str(uuid4()))


async def made_by_key(system: System) -> dict[str, UUID]:
    """The task that each request's key stands for."""
    engines = open_engines(system.database_url)
    try:
        async with engines.read.connect() as connection:
            found = await connection.execute(
                select(idempotency_keys.c.key, idempotency_keys.c.answer)
            )
            kinds = {row.key: row.answer[0] for row in found}
    finally:
        await engines.dispose()
    return {key: UUID(made["id"]) for key, made in kinds.items() if made["kind"] == "import_tasks"}


async def task_ids(system: System) -> set[UUID]:
    """Every task that there is."""
    return {row["id"] for row in (await rows.read(system.database_url))["import_tasks"]}


async def test_f18_callers_that_give_up_within_milliseconds(
    system: System, rng: random.Random
) -> None:
    """Each create is done as a whole or not at all, and asked again it is done once."""
    url = system.serve("/f18.mp4", replies.file(small()))
    asked = [a_request(system, url) for _ in range(CALLS)]
    async with without(*system.workers), in_a_hurry(system) as hurries:
        longest = max([await hurry.patience(url) for hurry in hurries])
        others = await task_ids(system)
        callers = asyncio.Semaphore(CALLERS)

        async def call(request: CreateImportTaskRequest) -> None:
            async with callers:
                seconds = rng.uniform(SHORTEST_SECONDS, longest)
                await rng.choice(hurries).create(request, seconds, cancel=rng.random() < 0.5)

        await asyncio.gather(*map(call, asked))
        seen = await task_ids(system) - others
        early = await made_by_key(system)
        assert seen <= {*early.values()}, "a task was made without its key"
        cut_off = [request for hurry in hurries for request in hurry.cut_off]
        assert any(request.request_id in early for request in cut_off), "none was done"
        await asyncio.gather(*(rng.choice(hurries).repeat(request) for request in cut_off))
        made = await made_by_key(system)
        ids = {made[request.request_id] for request in asked}
        assert ids == await task_ids(system) - others
        assert made.items() >= early.items()
        kept = set(rng.sample(sorted(ids), KEPT))
        await asyncio.gather(*(hurries[0].delete(id_) for id_ in (ids | others) - kept))
    system.end_fault()
    async with system.client() as client:
        await client.all_completed(*kept)
    await system.check()


class Crowd:
    """Connections to an API that say nothing, or a byte now and then; a closed one comes again.

    ``lives`` says how long each one lasted, ``answers`` what was said to those that dripped bodies.
    """

    def __init__(self, system: System, api: Process) -> None:
        """Crowd before this replica's HTTP door."""
        self._port = urlsplit(api.answer["http"]).port
        self._token = system.token
        self._is_enough = False
        self._members: list[asyncio.Task[None]] = []
        self.lives: list[float] = []
        self.answers: list[bytes] = []

    async def _gather(self) -> None:
        media_type = "application/vnd.api+json"
        body = f"Authorization: Bearer {self._token}\r\nContent-Type: {media_type}\r\n"
        head = HEAD + body + "Content-Length: 10000\r\n\r\n"
        kinds = [("", False)] * IDLE + [(HEAD, True), (head, True)] * DRIPPING
        there = [asyncio.Event() for _ in kinds]
        for (begin, drips), is_there in zip(kinds, there, strict=True):
            member = self._stay(begin.encode(), is_there, drips=drips)
            self._members.append(asyncio.create_task(member))
        await asyncio.gather(*(each.wait() for each in there))

    async def leave(self) -> None:
        """Wait until the server has closed the last one, coming no more."""
        self._is_enough = True
        await asyncio.gather(*self._members)

    async def __aenter__(self) -> Self:
        """Come, and return when all are there."""
        await self._gather()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Go at once."""
        for member in self._members:
            member.cancel()
        await asyncio.gather(*self._members, return_exceptions=True)

    async def _stay(self, begin: bytes, is_there: asyncio.Event, *, drips: bool) -> None:
        clock = asyncio.get_running_loop().time
        while not self._is_enough:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            since = clock()
            writer.write(begin)
            is_there.set()
            dripping = asyncio.create_task(_drip(writer, drips=drips))
            try:
                async with asyncio.timeout(CLOSED_WITHIN):
                    self.answers.append(await _answer(reader))
            finally:
                dripping.cancel()
                writer.close()
            self.lives.append(clock() - since)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """What the server said before it closed the connection."""
    said = b""
    with suppress(ConnectionError):
        while piece := await reader.read(4096):
            said += piece
    return said


async def _drip(writer: asyncio.StreamWriter, *, drips: bool) -> None:
    with suppress(ConnectionError):
        while drips:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(DRIP_SECONDS)


async def test_f40_connections_that_drip_or_say_nothing(system: System, rng: random.Random) -> None:
    """Imports go on beside five hundred of them, and each one is closed in the end."""
    api = rng.choice(system.apis)
    before = api.fds()
    async with Crowd(system, api) as crowd:
        async with system.client(api) as client:
            ids = [await client.bring(f"/f40-{number}.mp4", small()) for number in range(3)]
            await client.all_completed(*ids)
            assert [status for status, _ in await client.readiness()] == [200]
            assert api.fds() >= before + IDLE, "the crowd has gone"
        await crowd.leave()
    assert max(crowd.lives) < CLOSED_WITHIN
    assert sum(b" 408 " in answer for answer in crowd.answers) >= DRIPPING
    await system.check(descriptors=before + ROOM)
