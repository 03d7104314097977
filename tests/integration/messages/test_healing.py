"""How the API's loops go on when the broker was wiped or is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from services.api.domain.lifecycle import Status
from shared.bus import streams
from shared.bus.errors import BusUnavailable, TopologyMissing
from shared.bus.roles import Role
from tests.support.core import a_principal
from tests.support.scripted import Quick, working

if TYPE_CHECKING:
    from tests.integration.messages.conftest import Loops
    from tests.support.core import Core
    from tests.support.nats import NatsServer


async def test_a_wiped_broker_loses_no_task(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    task = await core.task()
    await loops.dispatcher.round()
    nats_server.kill()
    nats_server.wipe()
    nats_server.start()
    async with loops.running(), working(nats_server, Quick("download")):
        await core.until(task.id, Status.DOWNLOADED)


async def test_the_reader_of_reports_heals_a_wiped_broker(loops: Loops) -> None:
    async with loops.bus.pulling(streams.REPORTS, "api") as puller:
        await loops.reports.round(puller)
        assert await puller.pull(1, timedelta(seconds=0.3)) == []


async def test_the_dispatcher_heals_a_wiped_broker(core: Core, loops: Loops) -> None:
    await core.task()
    loops.dispatcher._ensure_at = float("inf")  # noqa: SLF001 - as if it had just been there
    with pytest.raises(TopologyMissing):
        await loops.dispatcher.round()
    await loops.dispatcher.round()
    assert await core.use_cases.dispatch.due(10) == ()


async def test_without_a_broker_the_rows_stay_due(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await loops.dispatcher.round()
    task = await core.task()
    nats_server.kill()
    async with asyncio.timeout(10):
        while loops.bus.connected:  # noqa: ASYNC110 - the bus has no event for it
            await asyncio.sleep(0.01)
    loops.dispatcher._ensure_at = float("inf")  # noqa: SLF001 - not due for another half minute
    with pytest.raises(BusUnavailable):
        await loops.dispatcher.round()
    assert [due.task_id for due in await core.use_cases.dispatch.due(10)] == [task.id]


async def test_a_full_stream_is_waited_for_longer_each_time_and_loses_no_task(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await loops.dispatcher.round()  # the streams are made, and not looked at for a while
    await resize(nats_server, max_bytes=1)
    task = await core.task()
    with capture_logs() as logs:
        async with loops.running():
            await asyncio.sleep(1.5)
            now = await core.use_cases.import_tasks.get(a_principal(), task.id)
            assert (now.status, now.attempts) == (Status.PENDING, 0)
            delays = [e["error"] for e in logs if e["event"] == "dispatch_delayed"]
            # After 0.2 s, 0.4 s, 0.8 s; a loop that took no breath would have hundreds.
            assert 1 <= len(delays) <= 4
            assert all("maximum bytes exceeded" in error for error in delays)
            await resize(nats_server, max_bytes=1 << 20)
            async with working(nats_server, Quick("download")):
                await core.until(task.id, Status.DOWNLOADED)


async def resize(server: NatsServer, *, max_bytes: int) -> None:
    async with server.client(Role.API) as client:
        js = client.jetstream()
        config = (await js.stream_info(streams.WORK)).config
        await js.update_stream(config, max_bytes=max_bytes)


async def test_events_wait_for_the_broker_and_are_not_forgotten(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await core.task()
    with pytest.raises(BusUnavailable):
        await loops.relay.round()  # there is no stream yet; now there is
    await loops.relay.round()
    assert await core.use_cases.outbox.take(10) == ()
    async with nats_server.client(Role.API) as client:
        info = await client.jetstream().stream_info(streams.EVENTS)
    assert info.state.messages == 1
