"""A server with its topology, and one connection for each role that the tests need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT, NatsServer, nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.bus.bus import Bus

__all__ = ["nats_server"]


@pytest.fixture
async def api(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus(Role.API) as bus:
        await bus.ensure_topology(ACK_WAIT)
        yield bus


@pytest.fixture
async def downloader(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus(Role.DOWNLOADER) as bus:
        yield bus
