"""Who has little to do does not wait for who has much; who is waited for not for what is not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Stage
from services.api.windows import LEAST
from shared.bus import streams
from tests.support.scripted import Quick, working

if TYPE_CHECKING:
    from uuid import UUID

    from shared.stage.job import Job, Outcome, Progress
    from tests.integration.messages.conftest import Loops
    from tests.support.core import Core
    from tests.support.nats import NatsServer

MANY = 4 * LEAST
FEW = 3


class Noting(Quick):
    """Tells in which order things are done."""

    def __init__(self) -> None:
        """Download."""
        super().__init__("download")
        self.order: list[UUID] = []
        self.done = asyncio.Event()

    async def run(self, job: Job, progress: Progress) -> Outcome:
        self.order.append(job.task_id)
        if len(self.order) == MANY + FEW:
            self.done.set()
        return await super().run(job, progress)


async def order_of(loops: Loops, server: NatsServer) -> list[UUID]:
    """In which order a worker does what is there."""
    stage = Noting()
    async with loops.running(), working(server, stage), asyncio.timeout(30):
        await stage.done.wait()
    return stage.order


async def until_full(loops: Loops) -> None:
    """Send as many commands as there is room for."""
    async with asyncio.timeout(10):
        while loops.dispatcher.windows.rooms()[Stage.DOWNLOAD]:
            await loops.dispatcher.round()


async def test_a_small_tenant_does_not_wait_for_a_large_one(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await core.tasks("many", MANY)
    await until_full(loops)
    few = await core.tasks("few", FEW)
    order = await order_of(loops, nats_server)
    last = max(order.index(task) for task in few)
    assert last <= LEAST + 2 * FEW


async def test_what_is_waited_for_does_not_wait_for_bulk_work(
    core: Core, loops: Loops, nats_server: NatsServer
) -> None:
    await core.tasks("one", MANY, priority="bulk")
    await until_full(loops)
    few = await core.tasks("one", FEW)
    order = await order_of(loops, nats_server)
    last = max(order.index(task) for task in few)
    assert last <= LEAST + 2 * FEW


async def test_no_more_wait_in_the_broker_than_there_is_room_for(core: Core, loops: Loops) -> None:
    await core.tasks("many", MANY)
    await until_full(loops)
    assert await loops.bus.waiting(streams.WORK, "download") == LEAST
    assert await loops.dispatcher.round() is True
    assert await loops.bus.waiting(streams.WORK, "download") == LEAST
