"""What a system looks like from outside and from behind, gathered once and at rest."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.blobs.base import BlobMissing
from shared.bus import streams, subjects
from shared.bus.roles import Role
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from stagedoor.v1.import_task_service_pb2 import GetImportTaskRequest, ImportTask
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from tests.support import s3
from tests.support.faults import rows
from tests.support.nats_client import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from pathlib import Path

    from nats.aio.client import Client as NatsClient

    from shared.blobs.base import BlobStore
    from tests.support.faults.process import Process
    from tests.support.faults.rows import Row
    from tests.support.faults.system import System

_BATCH = 500
_PREFIX = "importTasks/"
_CONSUMERS = (
    (streams.WORK, streams.DOWNLOAD_CONSUMER),
    (streams.WORK, streams.VALIDATE_CONSUMER),
    (streams.WORK, streams.PUBLISH_CONSUMER),
    (streams.REPORTS, streams.API_CONSUMER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as the stream has it; ``status`` in the core's words, empty for a deletion.

    ``time`` is when the task was changed so.
    """

    id: str
    subject: str
    task_id: UUID
    version: int
    generation: int
    status: str
    deleted: bool
    md5: str
    time: datetime
    payload: bytes


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything that the invariants look at.

    ``shown`` is what the API shows of each task, None for not found; ``waiting`` counts messages by
    stream, ``unacked`` by consumer; ``keys`` are those of the store, ``hashes`` the size and MD5 of
    those that a valid record or a rendition names; ``leftovers`` are parts, uploads and copies that
    nobody ended.
    """

    rows: dict[str, list[Row]]
    shown: dict[UUID, ImportTask | None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    unacked: dict[str, int] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    hashes: dict[str, tuple[int, str]] = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)
    children: dict[str, list[int]] = field(default_factory=dict)

    @property
    def tasks(self) -> list[Row]:
        """The rows of all tasks."""
        return self.rows["import_tasks"]

    @property
    def valid_records(self) -> list[Row]:
        """The rows of records that were not superseded."""
        return [row for row in self.rows["records"] if row["superseded_at"] is None]

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is on its way any more; what still is, is not lost but late."""
        busy = (*self.waiting.values(), *self.unacked.values(), *self.children.values())
        return not any((self.rows["outbox"], self.rows["doomed_blobs"], *busy))


async def look(system: System) -> Evidence:
    """See whether the system is at rest, and no more."""
    seen = Evidence(rows=await rows.read(system.database_url))
    async with _broker(system) as client:
        js = client.jetstream()
        for stream in (streams.WORK, streams.REPORTS):
            seen.waiting[stream] = (await js.stream_info(stream)).state.messages
        for stream, consumer in _CONSUMERS:
            info = await js.consumer_info(stream, consumer)
            seen.unacked[f"{stream} {consumer}"] = info.num_ack_pending or 0
    seen.children = {each.name: each.children() for each in system.services}
    return seen


async def gather(system: System) -> Evidence:
    """See everything."""
    seen = await look(system)
    seen.events = await read_events(system)
    seen.shown = await _show(system, {row["id"] for row in seen.tasks} | {*system.ledger.tasks})
    store = system.open_store()
    listed = store.keys()
    seen.keys = {info.key async for info in listed}
    for row in (*seen.valid_records, *seen.rows["renditions"]):
        if (found := await _hash(store, row["blob_key"])) is not None:
            seen.hashes[row["blob_key"]] = found
    seen.leftovers = sorted(_leftovers(system))
    return seen


async def read_events(system: System) -> list[Event]:
    """The whole stream of events, in its order."""
    found: list[Event] = []
    async with _broker(system) as client:
        js = client.jetstream()
        left = (await js.stream_info(streams.EVENTS)).state.messages
        reading = await js.pull_subscribe(
            subjects.ALL_EVENTS,
            stream=streams.EVENTS,
            config=ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL),
        )
        while len(found) < left:
            batch = await reading.fetch(min(_BATCH, left - len(found)), timeout=10)
            found += [_event(message.subject, message.data, message.headers) for message in batch]
        await reading.unsubscribe()
    return found


def _event(subject: str, payload: bytes, headers: dict[str, str] | None) -> Event:
    event = ImportTaskEvent.FromString(payload)
    task = event.import_task
    return Event(
        id=(headers or {}).get("ce-id", ""),
        subject=subject,
        task_id=UUID(task.name.removeprefix(_PREFIX)),
        version=task.version,
        generation=task.generation,
        status="" if event.deleted else status_of(task),
        deleted=event.deleted,
        md5=task.actual_md5,
        time=task.update_time.ToDatetime(UTC),
        payload=payload,
    )


def status_of(task: ImportTask) -> str:
    """The core's word for a task's state."""
    return ImportTask.State.Name(task.state).removeprefix("STATE_").lower()


@asynccontextmanager
async def _broker(system: System) -> AsyncIterator[NatsClient]:
    async with connected(
        system.nats_url(Role.API), tls=system.nats_tls(), inbox_prefix=Role.API.inbox
    ) as client:
        yield client


async def _show(system: System, ids: Iterable[UUID]) -> dict[UUID, ImportTask | None]:
    living = [api for api in system.apis if api.is_running]
    assert living, "no API runs: start one before the check"
    address = living[0].answer["grpc"]
    metadata = (("authorization", f"Bearer {system.token}"),)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = ImportTaskServiceStub(channel)

        async def get(id_: UUID) -> ImportTask | None:
            request = GetImportTaskRequest(name=f"{_PREFIX}{id_}")
            try:
                return await stub.GetImportTask(request, metadata=metadata, timeout=10)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    return None
                raise

        wanted = list(ids)
        return dict(zip(wanted, await asyncio.gather(*map(get, wanted)), strict=True))


async def _hash(store: BlobStore, key: str) -> tuple[int, str] | None:
    """The size and MD5 of a blob; None if there is none."""
    try:
        async with store.local_copy(key) as path:
            body = path.read_bytes()
    except BlobMissing:
        return None
    return len(body), hashlib.md5(body).hexdigest()


def _leftovers(system: System) -> Iterable[str]:
    for path in _files(system.folder / "blobs"):
        if path.name.endswith((".part", ".part.note")):
            yield f"part {path.relative_to(system.folder / 'blobs')}"
    for each in system.workers:
        for path in _files(system.folder / each.name / "scratch"):
            yield f"copy {path.relative_to(system.folder)}"
    if system.s3 is not None:
        bucket = system.blobs_url.split("/")[2]
        for key in s3.unfinished(system.store_endpoint, bucket):
            yield f"upload {key}"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def measures(process: Process) -> dict[str, Any]:
    """Memory in bytes (the peak that was seen) and descriptors of a running process."""
    rss = process.rss_bytes()
    return {"rss": max(rss, process.peak_rss_bytes), "fds": process.fds()}
