"""Stopping a worker while it is about to begin something."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.bus import subjects
from shared.bus.roles import Role
from shared.stage.job import Released
from tests.support.nats import ACK_WAIT
from tests.support.scripted import ScriptedApi, ScriptedStage, working

if TYPE_CHECKING:
    from shared.bus.serve import Request
    from tests.support.nats import NatsServer


async def test_a_claim_that_comes_while_stopping_is_given_back(
    nats_server: NatsServer, stage: ScriptedStage
) -> None:
    async with nats_server.bus(Role.API) as bus:
        await bus.ensure_topology(ACK_WAIT)
        api = ScriptedApi(bus)
        async with working(nats_server, stage) as worker:

            async def stop_and_allow(request: Request) -> bytes | None:
                worker.stop()
                return await api.claim(request)

            async with bus.serving(subjects.ALL_CLAIMS, stop_and_allow, queue="api"):
                await api.command()
                report = await api.one_report()
        assert report.outcome == Released(reason="shutdown")
        assert await api.commands_left() == 0


async def test_a_command_that_comes_while_stopping_is_left_to_others(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage) as worker:
        async with asyncio.timeout(5):
            while not await api.pulls_waiting():  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.01)
        worker.stop()
        await api.command()
    assert api.claims.empty()
    assert await api.commands_left() == 1
