"""A tenant at its cap waits in the database, and runs when there is room again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Status
from services.api.domain.storage import Caps
from services.api.use_cases import downloads
from shared.bus.roles import Role
from tests.integration.messages.conftest import Loops
from tests.support.core import a_principal, open_core
from tests.support.scripted import Quick, ScriptedStage, working

if TYPE_CHECKING:
    import pytest

    from tests.support.nats import NatsServer


async def test_others_run_meanwhile_and_the_rest_afterwards(
    nats_server: NatsServer, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "BUSY", timedelta(seconds=0.2))
    stage = ScriptedStage()
    async with (
        open_core(sqlite_url, caps=Caps(running_downloads=1)) as core,
        nats_server.bus(Role.API) as bus,
        Loops(core, bus, nats_server).running(),
    ):
        first, second = await core.task("USRC12345671"), await core.task("USRC12345672")
        async with working(nats_server, stage, slots=3):
            job, _ = await stage.started.get()
            other = await core.task(who=a_principal("other"))
            async with asyncio.timeout(10):
                theirs, _ = await stage.started.get()
            assert theirs.task_id == other.id
            late = second if job.task_id == first.id else first
            waiting = await core.use_cases.import_tasks.get(a_principal(), late.id)
            assert (waiting.status, waiting.attempts) == (Status.PENDING, 0)
        async with working(nats_server, Quick("download")):
            await core.until(first.id, Status.DOWNLOADED)
            done = await core.until(second.id, Status.DOWNLOADED)
    assert done.version == 3
