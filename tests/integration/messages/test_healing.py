"""How the API's loops go on when the broker was wiped or is away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.api.domain.lifecycle import Status
from shared.bus import streams
from shared.bus.errors import BusUnavailable, TopologyMissing
from shared.bus.roles import Role
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
