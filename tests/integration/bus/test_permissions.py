"""What each role may not do, on one server and on a cluster, with the product's configuration."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import NoAnswer
from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT, NatsServer
from tests.support.nats_cluster import NatsCluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from shared.bus.bus import Bus

Broker = NatsServer | NatsCluster
QUICKLY = timedelta(seconds=0.2)
SOON = timedelta(seconds=2)
WORKERS = {
    Role.DOWNLOADER: ("download", "validate"),
    Role.VALIDATOR: ("validate", "download"),
    Role.PUBLISHER: ("publish", "validate"),
}

each_worker = pytest.mark.parametrize(
    ("role", "own", "other"), [(role, *stages) for role, stages in WORKERS.items()]
)


@pytest.fixture(scope="module", params=["single", "cluster"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Both are the same to a client; the cluster is reached over TLS only."""
    broker: Broker = NatsServer() if request.param == "single" else NatsCluster()
    try:
        if isinstance(broker, NatsServer):
            broker.start()
        else:
            asyncio.run(broker.start())
        yield broker
    finally:
        broker.remove()


@pytest.fixture
async def api(broker: Broker) -> AsyncIterator[Bus]:
    async with broker.bus(Role.API) as bus:
        await ensured(bus)
        yield bus


async def ensured(bus: Bus) -> None:
    """Make the streams; a cluster that begins, on a busy machine, takes long to agree on them."""
    async with asyncio.timeout(60):
        while True:
            with suppress(NoAnswer):
                return await bus.ensure_topology(ACK_WAIT)


@pytest.fixture
def task() -> UUID:
    """A task of this test's own: the broker is that of all."""
    return uuid4()


def letter() -> Envelope:
    return Envelope(type="t")


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
    api: Bus, broker: Broker, task: UUID, *, role: Role, own: str, other: str
) -> None:
    forbidden = [
        subjects.claim(other, task),
        subjects.progress(other, task),
        subjects.report(other, task),
        subjects.work(own, task, 1),
        subjects.cancel(task),
        subjects.event("default", "completed"),
        f"$JS.ACK.STAGEDOOR_WORK.{other}.1.1.1.1.0",
        "$JS.ACK.STAGEDOOR_REPORTS.api.1.1.1.1.0",
        "_INBOX.api.x",
    ]
    async with broker.client(role) as client:
        said = await refusals(client, *forbidden)
        assert len(said) == len(forbidden)
        assert all("permissions violation" in line.lower() for line in said)
        allowed = [subjects.claim(own, task), subjects.progress(own, task)]
        assert await refusals(client, *allowed) == []
    async with broker.bus(role) as bus:
        await bus.publish(subjects.report(own, task), b"mine", letter())
    async with api.pulling(streams.REPORTS, "api") as puller:
        (report,) = await puller.pull(10, SOON)
        assert (report.subject, report.payload) == (subjects.report(own, task), b"mine")
        await report.ack()


@each_worker
async def test_a_worker_changes_no_topology_and_reads_no_events(
    api: Bus, broker: Broker, task: UUID, *, role: Role, own: str, other: str
) -> None:
    forbidden = [
        "$JS.API.STREAM.CREATE.MINE",
        f"$JS.API.STREAM.DELETE.{streams.WORK}",
        f"$JS.API.STREAM.PURGE.{streams.REPORTS}",
        f"$JS.API.STREAM.UPDATE.{streams.WORK}",
        f"$JS.API.STREAM.INFO.{streams.WORK}",
        f"$JS.API.STREAM.MSG.GET.{streams.EVENTS}",
        f"$JS.API.STREAM.MSG.GET.{streams.WORK}",
        f"$JS.API.STREAM.MSG.DELETE.{streams.REPORTS}",
        f"$JS.API.STREAM.SNAPSHOT.{streams.REPORTS}",
        f"$JS.API.STREAM.RESTORE.{streams.REPORTS}",
        f"$JS.API.STREAM.LEADER.STEPDOWN.{streams.WORK}",
        f"$JS.API.STREAM.PEER.REMOVE.{streams.WORK}",
        "$JS.API.META.LEADER.STEPDOWN",
        f"$JS.API.DIRECT.GET.{streams.EVENTS}",
        f"$JS.API.CONSUMER.CREATE.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.INFO.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.PAUSE.{streams.WORK}.{own}",
        "$JS.API.INFO",
        "$SYS.REQ.SERVER.PING",
        f"$JS.API.CONSUMER.CREATE.{streams.EVENTS}",
        f"$JS.API.CONSUMER.DURABLE.CREATE.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.DELETE.{streams.WORK}.{own}",
        f"$JS.API.CONSUMER.MSG.NEXT.{streams.WORK}.{other}",
        f"$JS.API.CONSUMER.MSG.NEXT.{streams.REPORTS}.api",
    ]
    async with broker.client(role) as client:
        assert len(await refusals(client, *forbidden)) == len(forbidden)
    await api.publish(subjects.work(own, task, 1), b"still there", letter())


@each_worker
async def test_a_worker_hears_its_own_answers_and_cancels_only(
    api: Bus, broker: Broker, task: UUID, *, role: Role, own: str, other: str
) -> None:
    heard: list[str] = []

    async def hear(message: Msg) -> None:
        heard.append(message.subject)

    neighbour = next(worker for worker in WORKERS if worker is not role)
    async with broker.client(role) as client:
        for subject in (
            *(subjects.ALL_CLAIMS, subjects.ALL_PROGRESS, subjects.ALL_EVENTS, subjects.ALL_WORK),
            *(subjects.ALL_REPORTS, f"{neighbour.inbox}.>", "_INBOX.>", ">"),
            subjects.ALL_CANCELS,
        ):
            await client.subscribe(subject, cb=hear)
        for _ in range(2):
            await client.flush()
        await api.publish(subjects.event("default", "pending"), b"", letter())
        await api.publish(subjects.work(other, task, 1), b"", letter())
        async with broker.bus(neighbour) as bus:
            with pytest.raises(NoAnswer):
                await bus.request(subjects.claim(other, task), b"", letter(), wait=QUICKLY)
        await api.notify(subjects.cancel(task), b"", letter())
        async with asyncio.timeout(20):
            while not heard:  # noqa: ASYNC110 - the client library has no event for it
                await asyncio.sleep(0.01)
        assert heard == [subjects.cancel(task)]
    assert own != other


async def test_the_api_deletes_nothing_and_reports_nothing(
    api: Bus, broker: Broker, task: UUID
) -> None:
    assert api.connected
    forbidden = [
        f"$JS.API.STREAM.DELETE.{streams.WORK}",
        f"$JS.API.STREAM.PURGE.{streams.WORK}",
        subjects.report("download", task),
        subjects.claim("download", task),
    ]
    async with broker.client(Role.API) as client:
        assert len(await refusals(client, *forbidden)) == len(forbidden)


@pytest.mark.parametrize(
    "credentials",
    [{}, {"user": "api"}, {"user": "api", "pass": "guess"}, {"user": "route", "pass": "guess"}],
)
async def test_nobody_enters_without_a_password(
    broker: Broker, credentials: dict[str, str]
) -> None:
    reader, writer = await asyncio.open_connection(*address(broker))
    hello = await reader.readline()
    if isinstance(broker, NatsCluster):
        assert b'"tls_required":true' in hello
        trusted = broker.certificates.trusted().context()
        await writer.start_tls(trusted, server_hostname=address(broker)[0])
    writer.write(f"CONNECT {json.dumps(credentials)}\r\nPING\r\n".encode())
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.transport.abort()
    assert b"Authorization Violation" in said
    assert b"PONG" not in said


def address(broker: Broker) -> tuple[str, int]:
    url = urlsplit(broker.url(Role.API).split(",")[0])
    assert url.hostname
    assert url.port
    return url.hostname, url.port
