"""A command that only a newer version knows: given back for one that does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import SubjectTaken
from shared.bus.roles import Role
from shared.stage import wire, worker
from tests.support.scripted import TASK, ScriptedStage, working

if TYPE_CHECKING:
    import pytest

    from tests.support.nats import NatsServer
    from tests.support.scripted import ScriptedApi

FUTURE = "stagedoor.events.v2.WorkCommand"


async def test_a_command_from_the_future_is_given_back_and_stops_no_other(
    api: ScriptedApi, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_UNKNOWN_DELAY", timedelta(seconds=1.5))
    stage = ScriptedStage()
    with capture_logs() as logs:
        async with working(nats_server, stage):
            await api.command(1, type_=FUTURE)
            await asyncio.sleep(0.8)
    assert [entry["event"] for entry in logs].count("command_unknown") == 1  # it is not in a loop
    async with working(nats_server, stage):
        await api.command(2)
        async with asyncio.timeout(10):
            job, _ = await stage.started.get()
        assert job.generation == 2
        stage.end(job)
    async with (
        nats_server.bus(Role.DOWNLOADER) as newer,
        newer.pulling(streams.WORK, "download") as puller,
        asyncio.timeout(10),
    ):
        while not (found := await puller.pull(1, timedelta(seconds=1))):
            pass
        assert (found[0].type, found[0].subject) == (FUTURE, subjects.work("download", TASK, 1))


async def test_a_command_that_nobody_ever_knows_makes_room_for_the_next(
    api: ScriptedApi, nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_UNKNOWN_DELAY", timedelta(seconds=0.05))
    monkeypatch.setattr(worker, "_UNKNOWN_DELIVERIES", 3)
    stage = ScriptedStage()
    with capture_logs() as logs:
        async with working(nats_server, stage), asyncio.timeout(10):
            await api.command(1, type_=FUTURE)
            while True:
                with suppress(SubjectTaken):
                    await api.command(1)
                    break
                await asyncio.sleep(0.05)
            job, _ = await stage.started.get()
            stage.end(job)
    assert [entry["event"] for entry in logs].count("command_unknown") == 3


async def test_a_cancel_from_the_future_stops_nothing(
    api: ScriptedApi, nats_server: NatsServer
) -> None:
    stage = ScriptedStage()
    async with working(nats_server, stage):
        await api.command(1)
        async with asyncio.timeout(10):
            job, _ = await stage.started.get()
        hint = b"\x08\x01"  # generation 1, as this version would read it
        await api.bus.notify(subjects.cancel(TASK), hint, Envelope(type="stagedoor.events.v2.Hint"))
        await asyncio.sleep(0.3)
        assert not stage.cancelled.is_set()
        await api.bus.notify(subjects.cancel(TASK), hint, Envelope(type=wire.CANCEL, id="known"))
        async with asyncio.timeout(10):
            await stage.cancelled.wait()
        assert job.generation == 1
