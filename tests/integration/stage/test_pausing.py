"""A stage that wants no work for now: its worker leaves the commands to others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from tests.support.nats import ACK_WAIT
from tests.support.scripted import HOUR, LOOK_AGAIN, ScriptedApi, ScriptedStage, stored, working

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from shared.stage.job import Job
    from tests.support.nats import NatsServer

A_WHILE = 4 * LOOK_AGAIN.total_seconds()


class ChoosyStage(ScriptedStage):
    """Wants work as the test says; ``silent`` leaves the question open, ``broken`` raises."""

    def __init__(self) -> None:
        super().__init__()
        self.wants_work = self.silent = self.broken = False
        self.asked = asyncio.Event()

    async def ready(self) -> bool:
        self.asked.set()
        if self.silent:
            await asyncio.Event().wait()
        if self.broken:
            raise OSError("the disk is gone")
        return self.wants_work

    async def next_job(self) -> Job:
        async with asyncio.timeout(5):
            job, _ = await self.started.get()
            return job

    async def is_asked(self) -> None:
        async with asyncio.timeout(5):
            await self.asked.wait()

    async def asked_again(self) -> None:
        """Wait until a question that is put from now on was answered."""
        for _ in range(2):
            self.asked.clear()
            await self.is_asked()


def events(logs: list[EventDict]) -> list[str]:
    return [entry["event"] for entry in logs]


@pytest.fixture
async def stage() -> ChoosyStage:
    return ChoosyStage()


async def test_a_worker_that_is_not_ready_pulls_nothing_until_it_is(
    api: ScriptedApi, stage: ChoosyStage, nats_server: NatsServer
) -> None:
    with capture_logs() as logs:
        async with working(nats_server, stage, slots=3):
            await stage.is_asked()
            await api.command()
            await asyncio.sleep(A_WHILE)
            assert (api.claims.qsize(), await api.pulls_waiting()) == (0, 0)
            stage.wants_work = True
            job = await stage.next_job()
            stage.end(job)
            assert (await api.one_report()).outcome == stored(job)
    assert await api.redelivered() == 0
    said = events(logs)
    assert [said.count("worker_paused"), said.count("worker_resumed")] == [1, 1]


async def test_missing_commands_are_told_once(
    api: ScriptedApi, stage: ChoosyStage, nats_server: NatsServer
) -> None:
    stage.wants_work = True
    with capture_logs() as logs:
        async with working(nats_server, stage, slots=3):
            await stage.is_asked()
            await api.lose_everything(nats_server)
            await asyncio.sleep(A_WHILE)  # the worker meets the empty broker
            assert events(logs).count("no_commands") == 1
            await api.bus.ensure_topology(ACK_WAIT)
            await api.command()
            stage.end(await stage.next_job())
            await api.one_report()
    assert "commands_again" in events(logs)


async def test_a_run_under_way_goes_on_while_its_worker_takes_no_more(
    api: ScriptedApi, stage: ChoosyStage, nats_server: NatsServer
) -> None:
    stage.wants_work = True
    async with working(nats_server, stage, slots=2):
        await api.command(generation=1)
        job = await stage.next_job()
        stage.wants_work = False
        await stage.asked_again()
        await api.command(generation=2)
        await asyncio.sleep(A_WHILE)
        assert (stage.started.empty(), stage.cancelled.is_set()) == (True, False)
        stage.end(job)
        assert (await api.one_report()).outcome == stored(job)
        async with asyncio.timeout(10):  # the report goes first, the acknowledgement after it
            while await api.commands_left() != 1:  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("silent", [False, True])
async def test_a_pause_does_not_hold_up_a_stop(
    api: ScriptedApi,  # noqa: ARG001 - the worker needs its consumer
    stage: ChoosyStage,
    nats_server: NatsServer,
    silent: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    stage.silent = silent
    async with working(nats_server, stage, look_again=HOUR) as worker:
        await stage.is_asked()
        await asyncio.sleep(0.1)  # so that it is the pause, or the question, that is under way
        began = asyncio.get_running_loop().time()
        worker.stop()
    assert asyncio.get_running_loop().time() - began < 0.5


@pytest.mark.parametrize("fault", ["broken", "silent"])
async def test_a_stage_that_cannot_tell_is_not_ready(
    fault: str, api: ScriptedApi, stage: ChoosyStage, nats_server: NatsServer
) -> None:
    setattr(stage, fault, True)
    stage.wants_work = True
    with capture_logs() as logs:
        async with working(nats_server, stage):
            await stage.is_asked()
            await api.command()
            await stage.asked_again()
            assert api.claims.empty()
            setattr(stage, fault, False)
            await stage.next_job()
    (paused,) = [entry for entry in logs if entry["event"] == "worker_paused"]
    assert isinstance(paused["exc_info"], OSError) == (fault == "broken")
