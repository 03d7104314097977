"""What each role may not do, on the server with the product's own configuration."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import NoAnswer
from shared.bus.roles import Role

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from shared.bus.bus import Bus
    from tests.support.nats import NatsServer

TASK = UUID("01890000-0000-7000-8000-000000000001")
LETTER = Envelope(type="t")
QUICKLY = timedelta(seconds=0.2)
WORKERS = {Role.DOWNLOADER: ("download", "validate"), Role.VALIDATOR: ("validate", "download")}

each_worker = pytest.mark.parametrize(
    ("role", "own", "other"), [(role, *stages) for role, stages in WORKERS.items()]
)


async def refusals(client: Client, *subjects_: str) -> list[str]:
    """Try to publish on each subject; what the server says against it."""
    said: list[str] = []

    async def note(error: Exception) -> None:
        said.append(str(error))

    client._error_cb = note  # noqa: SLF001 - it can be set by connect() only, which another owns
    for subject in subjects_:
        await client.publish(subject, b"x")
    for _ in range(2):  # the client library's first ping overtakes what it has buffered
        await client.flush()
    return said


@each_worker
async def test_a_worker_speaks_for_its_own_stage_only(
    api: Bus, nats_server: NatsServer, role: Role, own: str, other: str
) -> None:
    forbidden = [
        subjects.claim(other, TASK),
        subjects.progress(other, TASK),
        subjects.report(other, TASK),
        subjects.work(own, TASK, 1),
        subjects.cancel(TASK),
        subjects.event("default", "completed"),
        f"$JS.ACK.STAGEDOOR_WORK.{other}.1.1.1.1.0",
        "$JS.ACK.STAGEDOOR_REPORTS.api.1.1.1.1.0",
        "_INBOX.api.x",
    ]
    async with nats_server.client(role) as client:
        said = await refusals(client, *forbidden)
        assert len(said) == len(forbidden)
        assert all("permissions violation" in line.lower() for line in said)
        allowed = [subjects.claim(own, TASK), subjects.progress(own, TASK)]
        assert await refusals(client, *allowed) == []
    async with nats_server.bus(role) as bus:
        await bus.publish(subjects.report(own, TASK), b"mine", LETTER)
    async with api.pulling(streams.REPORTS, "api") as puller:
        assert [d.payload for d in await puller.pull(10, QUICKLY)] == [b"mine"]


@each_worker
async def test_a_worker_changes_no_topology_and_reads_no_events(
    api: Bus, nats_server: NatsServer, role: Role, own: str, other: str
) -> None:
    forbidden = [
        "$JS.API.STREAM.CREATE.MINE",
        f"$JS.API.STREAM.DELETE.{streams.WORK}",
        f"$JS.API.STREAM.PURGE.{streams.REPORTS}",
        f"$JS.API.STREAM.MSG.GET.{streams.EVENTS}",
        f"$JS.API.CONSUMER.CREATE.{streams.EVENTS}",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.DELETE.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.MSG.NEXT.{streams.WORK}.{other}",
        f"$JS.API.CONSUMER.MSG.NEXT.{streams.REPORTS}.api",
    ]
    async with nats_server.client(role) as client:
        assert len(await refusals(client, *forbidden)) == len(forbidden)
    await api.publish(subjects.work(own, TASK, 1), b"still there", LETTER)


@each_worker
async def test_a_worker_hears_its_own_answers_and_cancels_only(
    api: Bus, nats_server: NatsServer, role: Role, own: str, other: str
) -> None:
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    neighbour = next(worker for worker in WORKERS if worker is not role)
    async with nats_server.client(role) as client:
        for subject in (
            *(subjects.ALL_CLAIMS, subjects.ALL_PROGRESS, subjects.ALL_EVENTS, subjects.ALL_WORK),
            *(subjects.ALL_REPORTS, f"{neighbour.inbox}.>", "_INBOX.>", ">"),
            subjects.ALL_CANCELS,
        ):
            await client.subscribe(subject, cb=hear)
        for _ in range(2):
            await client.flush()
        await api.publish(subjects.event("default", "pending"), b"", LETTER)
        await api.publish(subjects.work(other, TASK, 1), b"", LETTER)
        async with nats_server.bus(neighbour) as bus:
            with pytest.raises(NoAnswer):
                await bus.request(subjects.claim(other, TASK), b"", LETTER, wait=QUICKLY)
        await api.notify(subjects.cancel(TASK), b"", LETTER)
        async with asyncio.timeout(2):
            while not heard:  # noqa: ASYNC110 - the client library has no event for it
                await asyncio.sleep(0.01)
        assert heard == [subjects.cancel(TASK)]
    assert own != other


async def test_the_api_deletes_nothing_and_reports_nothing(
    api: Bus, nats_server: NatsServer
) -> None:
    assert api.connected
    forbidden = [
        f"$JS.API.STREAM.DELETE.{streams.WORK}",
        f"$JS.API.STREAM.PURGE.{streams.WORK}",
        subjects.report("download", TASK),
        subjects.claim("download", TASK),
    ]
    async with nats_server.client(Role.API) as client:
        assert len(await refusals(client, *forbidden)) == len(forbidden)


@pytest.mark.parametrize("credentials", [{}, {"user": "api", "pass": "guess"}])
async def test_nobody_enters_without_a_password(
    nats_server: NatsServer, credentials: dict[str, str]
) -> None:
    address = urlsplit(nats_server.url(Role.API))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"CONNECT {json.dumps(credentials)}\r\nPING\r\n".encode())
    said = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert b"Authorization Violation" in said
    assert b"PONG" not in said
