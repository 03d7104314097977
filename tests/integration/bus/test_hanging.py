"""A broker that hangs without dying: everything notices within its own time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from shared.bus import connection, streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.bus.publisher import PUBLISH_SECONDS
from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT, NatsServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shared.bus.bus import Bus

TASK = UUID("01890000-0000-7000-8000-000000000001")
REPORT = subjects.report("download", TASK)
SOON = timedelta(seconds=1)
# What a loaded machine may add to a time limit of the bus.
SLACK_SECONDS = 3.0
# More than the buffers of a socket hold.
MANY_BYTES = 16 << 20
A_PIECE = 1 << 20


def letter() -> Envelope:
    return Envelope(type="t")


@pytest.fixture
async def worker(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus(Role.API) as api:
        await api.ensure_topology(ACK_WAIT)
    async with nats_server.bus(Role.DOWNLOADER) as bus:
        yield bus


@pytest.fixture
def hanging(worker: Bus, nats_server: NatsServer) -> Iterator[NatsServer]:
    assert worker.connected
    nats_server.freeze()
    yield nats_server
    nats_server.thaw()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections made from now on ping every half second, not every ten."""
    monkeypatch.setattr(connection, "_PING_SECONDS", 0.5)


async def until(bus: Bus, *, connected: bool, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while bus.connected is not connected:  # noqa: ASYNC110 - the bus has no event for it
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("often")
async def test_pings_notice_it_even_with_bytes_on_their_way(
    worker: Bus, hanging: NatsServer
) -> None:
    for _ in range(MANY_BYTES // A_PIECE):
        try:
            async with asyncio.timeout(1):
                await worker.notify(REPORT, bytes(A_PIECE), letter())
        except (BusUnavailable, TimeoutError):
            break
    await until(worker, connected=False, seconds=10)
    hanging.thaw()
    await until(worker, connected=True, seconds=20)
    await worker.publish(REPORT, b"again", letter())


@pytest.mark.usefixtures("hanging")
async def test_a_publish_and_a_request_end_in_their_time(worker: Bus) -> None:
    async with asyncio.timeout(PUBLISH_SECONDS + SLACK_SECONDS):
        with pytest.raises(BusUnavailable):
            await worker.publish(REPORT, b"", letter())
    async with asyncio.timeout(SOON.total_seconds() + SLACK_SECONDS):
        with pytest.raises(BusUnavailable):
            await worker.request(subjects.claim("download", TASK), b"", letter(), wait=SOON)


async def test_a_pull_under_way_ends_in_its_time_when_the_broker_dies(
    worker: Bus, nats_server: NatsServer
) -> None:
    async with worker.pulling(streams.WORK, "download") as puller:
        pulling = asyncio.create_task(puller.pull(1, SOON))
        await asyncio.sleep(0.2)  # it is on its way
        nats_server.kill()
        async with asyncio.timeout(SOON.total_seconds() + SLACK_SECONDS):
            assert await pulling == []
