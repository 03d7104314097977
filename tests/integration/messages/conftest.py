"""The API's message loops between a real broker and the real use cases."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.api.cancels import Cancels
from services.api.claims import Claims
from services.api.dispatcher import Dispatcher
from services.api.outbox import Relay
from services.api.reports import Reports
from shared.bus.roles import Role
from tests.support.core import core, sqlite_template, sqlite_url
from tests.support.nats import ACK_WAIT, NatsServer, nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    from shared.bus.bus import Bus
    from tests.support.core import Core

__all__ = ["core", "nats_server", "sqlite_template", "sqlite_url"]

POLL = timedelta(seconds=0.1)


class Loops:
    """The API's loops, one by one."""

    def __init__(self, core: Core, bus: Bus, server: NatsServer) -> None:
        cases = core.use_cases
        self.bus = bus
        self._server = server
        self.cancels = Cancels(bus)
        self.claims = Claims(bus, cases.runs, cases.dead_letters)
        self.reports = Reports(bus, cases.runs, cases.dead_letters, ACK_WAIT)
        self.dispatcher = Dispatcher(bus, cases.dispatch, core.signals, POLL, ACK_WAIT)
        self.relay = Relay(bus, cases.outbox, cases.dead_letters, core.signals, POLL, ACK_WAIT)

    def downloader(self) -> AbstractAsyncContextManager[Bus]:
        """A downloader's connection."""
        return self._server.bus(Role.DOWNLOADER)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of them at work, cancelled at the end."""
        loops = (self.cancels, self.claims, self.reports, self.dispatcher, self.relay)
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            done, late = await asyncio.wait(tasks, timeout=3)
            assert not late
            assert all(task.cancelled() for task in done), [t for t in done if not t.cancelled()]


@pytest.fixture
async def loops(core: Core, nats_server: NatsServer) -> AsyncIterator[Loops]:
    async with nats_server.bus(Role.API) as bus:
        yield Loops(core, bus, nats_server)
