"""What each door says of an import task, in the same words, to see that all say the same.

What a door says is told by name: ``id``, ``number``, ``track`` (the number of the track) and
``track_id``, ``status`` (as the core has it), ``md5``, ``record`` (its id), ``version``; each what
it knows.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc
import msgspec
from google.protobuf.json_format import ParseDict
from standardwebhooks import Webhook

from shared.bus import streams, subjects
from shared.bus.roles import Role
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from stagedoor.v1 import import_task_service_pb2 as tasks_pb
from stagedoor.v1.import_task_service_pb2 import ImportTask
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from stagedoor.v1.record_service_pb2 import GetRecordRequest, Record
from stagedoor.v1.record_service_pb2_grpc import RecordServiceStub
from stagedoor.v1.track_service_pb2 import GetTrackRequest, Track
from stagedoor.v1.track_service_pb2_grpc import TrackServiceStub
from tests.support.door import bearer
from tests.support.nats_client import connected
from tests.support.stack import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tests.support.receiver import Receiver
    from tests.support.stack import Stack

Said = dict[str, object]
COMPLETED = "completed"
SECONDS = 90.0


def of_message(task: ImportTask) -> Said:
    """What the message of the contract says."""
    return {
        "id": task.name.partition("/")[2],
        "number": task.number,
        "status": ImportTask.State.Name(task.state).removeprefix("STATE_").lower(),
        "md5": task.actual_md5 or None,
        "record": task.record.partition("/")[2] or None,
        "version": task.version,
    }


def of_document(data: Any) -> Said:
    """What a resource object of the Atmos facade says."""
    shown = data["attributes"]
    return {"id": data["id"], "status": shown["status"], "md5": shown["actualMd5"]}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a token who comes to every door of a running stack."""

    stack: Stack
    http: aiohttp.ClientSession
    channel: grpc.aio.Channel

    @property
    def _who(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.stack.ready["token"])

    async def call(self, method: str, path: str, document: object = None, status: int = 200) -> Any:
        """A request in JSON:API that is answered with this status; gives the document."""
        headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
        body = None if document is None else msgspec.json.encode(document)
        async with self.http.request(method, path, data=body, headers=headers) as response:
            text = await response.read()
            assert response.status == status, text
            return msgspec.json.decode(text)

    async def newest(self) -> str:
        """The name of the newest task."""
        request = tasks_pb.ListImportTasksRequest(page_size=1, order_by="create_time desc")
        page: tasks_pb.ListImportTasksResponse
        page = await ImportTaskServiceStub(self.channel).ListImportTasks(
            request, metadata=self._who
        )
        return page.import_tasks[0].name

    async def truth(self, name: str) -> Said:
        """All that is so of a task, by gRPC: its record has the same bytes and the same track."""
        task: ImportTask = await ImportTaskServiceStub(self.channel).GetImportTask(
            tasks_pb.GetImportTaskRequest(name=name), metadata=self._who
        )
        record: Record = await RecordServiceStub(self.channel).GetRecord(
            GetRecordRequest(name=task.record), metadata=self._who
        )
        assert (record.md5, record.import_task) == (task.actual_md5, name)
        assert record.target == task.target
        if not task.target:
            return of_message(task)
        track: Track = await TrackServiceStub(self.channel).GetTrack(
            GetTrackRequest(name=task.target), metadata=self._who
        )
        return of_message(task) | {
            "track": track.number,
            "track_id": track.name.partition("/")[2],
        }

    async def watched(self, name: str) -> AsyncIterator[Said]:
        """What the watch over gRPC says, to its end."""
        request = tasks_pb.WatchImportTaskRequest(name=name)
        stub = ImportTaskServiceStub(self.channel)
        async for task in stub.WatchImportTask(request, metadata=self._who):
            yield of_message(task)

    async def streamed(self, name: str) -> AsyncIterator[Said]:
        """What the Server-Sent Events of one task say, to their end."""
        path = f"/api/v1/atmos-import-tasks/{name.partition('/')[2]}/events"
        headers = {"Accept": "text/event-stream"}
        async with self.http.get(path, headers=headers) as response:
            assert response.status == 200
            await response.content.readuntil(b"\n\n")
            while block := await response.content.readuntil(b"\n\n"):
                fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
                if "data" in fields:
                    said = of_document(msgspec.json.decode(fields["data"])["data"])
                    yield said | {"version": int(fields["id"])}

    async def shown(self, name: str) -> Said:
        """What the Atmos facade says of a task that is completed."""
        path = f"/api/v1/atmos-import-tasks/{name.partition('/')[2]}"
        said = of_document((await self.call("GET", path))["data"])
        record = (await self.call("GET", f"{path}/record"))["data"]
        assert record["attributes"]["md5"] == said["md5"]
        return said | {"record": record["id"]}

    async def stored(self, name: str) -> dict[str, Said]:
        """What the events on NATS say of a task, up to its end, by their ids."""
        said: dict[str, Said] = {}
        async with connected(self.stack.ready["nats"], inbox_prefix=Role.API.inbox) as client:
            reading = await client.jetstream().subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS)
            while COMPLETED not in [each["status"] for each in said.values()]:
                message = await reading.next_msg(timeout=SECONDS)
                task = ImportTaskEvent.FromString(message.data).import_task
                if task.name == name:
                    now = said[(message.headers or {})["ce-id"]] = of_message(task)
                    assert now["status"] == message.subject.rpartition(".")[2]
        return said

    async def subscribed(self, receiver: Receiver, path: str) -> str:
        """Have a receiver told of everything at a path; gives the secret that signs it."""
        attributes = {"target": receiver.url(path)}
        document = {"data": {"type": "subscriptions", "attributes": attributes}}
        made = await self.call("POST", "/api/v1/subscriptions", document, 201)
        secret: str = made["data"]["meta"]["secret"]
        return secret


def told(receiver: Receiver, path: str, secret: str, name: str) -> dict[str, Said]:
    """What webhooks at a path have said of a task by now, by their ids; each is signed."""
    said: dict[str, Said] = {}
    for request in [each for each in receiver.requests if each.path == path]:
        body = Webhook(secret).verify(request.body, request.headers)
        task = ParseDict(body["data"]["importTask"], ImportTask())
        if task.name == name:
            told_now = said[request.headers["webhook-id"]] = of_message(task)
            assert body["type"] == f"stagedoor.import_task.{told_now['status']}"
    return said


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what nobody tells of."""
    while not await is_so():  # noqa: ASYNC110 - there is no event to await
        await asyncio.sleep(0.1)


async def follow(
    doors: Sequence[AsyncIterator[Said]], then: Callable[[], None]
) -> list[list[Said]]:
    """All that each of some doors says; ``then`` is called once each has said something."""
    firsts = await asyncio.gather(*map(anext, doors))
    then()

    async def rest(first: Said, door: AsyncIterator[Said]) -> list[Said]:
        return [first, *[said async for said in door]]

    return await asyncio.gather(*map(rest, firsts, doors))


@asynccontextmanager
async def visiting(stack: Stack) -> AsyncIterator[Visitor]:
    """Somebody at every door."""
    headers = {"Authorization": f"Bearer {stack.ready['token']}"}
    async with (
        aiohttp.ClientSession(stack.ready["http"], headers=headers) as http,
        grpc.aio.insecure_channel(stack.ready["grpc"]) as channel,
    ):
        yield Visitor(stack, http, channel)
