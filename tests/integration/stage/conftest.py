"""A real broker, a scripted API and a worker with a scripted stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.bus import subjects
from shared.bus.roles import Role
from tests.support.nats import ACK_WAIT, NatsServer, nats_server
from tests.support.scripted import ScriptedApi, ScriptedStage, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.stage.worker import Worker

__all__ = ["nats_server"]


@pytest.fixture
async def api(nats_server: NatsServer) -> AsyncIterator[ScriptedApi]:
    async with nats_server.bus(Role.API) as bus:
        await bus.ensure_topology(ACK_WAIT)
        api = ScriptedApi(bus)
        async with (
            bus.serving(subjects.ALL_CLAIMS, api.claim, queue="api"),
            bus.serving(subjects.ALL_PROGRESS, api.answer_progress, queue="api"),
        ):
            yield api


@pytest.fixture
async def stage() -> ScriptedStage:
    return ScriptedStage()


@pytest.fixture
async def worker(nats_server: NatsServer, stage: ScriptedStage) -> AsyncIterator[Worker]:
    async with working(nats_server, stage) as worker:
        yield worker
