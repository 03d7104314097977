"""The worker runtime over a real broker, against an API and a stage that follow a script."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.roles import Role
from shared.problems import Problem, Severity
from shared.stage import wire
from shared.stage.job import Failed, Refused, Released, Stored
from shared.stage.messages import Command, Later, Stop
from shared.stage.run import DEADLINE_EXCEEDED, INTERNAL_ERROR
from tests.support.nats import ACK_WAIT
from tests.support.scripted import TASK, ScriptedApi, ScriptedStage, stored, working

if TYPE_CHECKING:
    from shared.stage.job import Job, Outcome, Progress
    from tests.support.nats import NatsServer

SHORT = timedelta(seconds=0.2)


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


async def started(stage: ScriptedStage) -> tuple[Job, Progress]:
    async with asyncio.timeout(10):
        return await stage.started.get()


async def drained(api: ScriptedApi) -> None:
    async with asyncio.timeout(10):
        while await api.commands_left():  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.02)


async def refuse_reports(server: NatsServer) -> None:
    """Let the stream of reports take nothing, until its topology is ensured."""
    async with server.client(Role.API) as client:
        js = client.jetstream()
        config = (await js.stream_info(streams.REPORTS)).config
        config.max_bytes = 1
        await js.update_stream(config)


@pytest.mark.usefixtures("worker")
async def test_go_runs_the_stage_and_reports_its_outcome(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    await api.command()
    job, _ = await started(stage)
    claim = await api.claims.get()
    assert (job.task_id, job.generation, job.run_id) == (TASK, 1, claim.run_id)
    assert await api.reports(SHORT) == []
    assert await api.commands_left() == 1
    stage.end(job)
    report = await api.one_report()
    assert (report.generation, report.run_id) == (1, job.run_id)
    assert report.outcome == stored(job)
    await drained(api)


@pytest.mark.usefixtures("worker")
async def test_later_asks_again_after_the_delay_as_a_new_run(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    api.script = [Later(timedelta(seconds=0.5))]
    await api.command()
    first = await api.claims.get()
    asked = asyncio.get_running_loop().time()
    job, _ = await started(stage)
    assert asyncio.get_running_loop().time() - asked >= 0.4
    second = await api.claims.get()
    assert job.run_id == second.run_id != first.run_id


@pytest.mark.usefixtures("worker")
async def test_stop_forgets_the_command(api: ScriptedApi, stage: ScriptedStage) -> None:
    api.script = [Stop("stale")]
    await api.command()
    await api.claims.get()
    await drained(api)
    assert stage.started.empty()
    assert await api.reports(SHORT) == []


@pytest.mark.usefixtures("worker")
async def test_a_lost_answer_is_asked_for_again_by_the_same_run(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    api.script = [None]
    await api.command()
    job, _ = await started(stage)
    first, second = await api.claims.get(), await api.claims.get()
    assert first.run_id == second.run_id == job.run_id


async def test_the_redelivered_command_asks_with_the_same_run(
    nats_server: NatsServer, stage: ScriptedStage
) -> None:
    async with nats_server.bus(Role.API) as bus:
        await bus.ensure_topology(timedelta(seconds=30))
        api = ScriptedApi(bus)
        async with working(nats_server, stage):
            await api.command()
            # More silence than the tries of one delivery, so the command is given back.
            api.script = [None, None, None]
            async with bus.serving(subjects.ALL_CLAIMS, api.claim, queue="api"):
                job, _ = await started(stage)
                ids = {(await api.claims.get()).run_id for _ in range(api.claims.qsize())}
    assert ids == {job.run_id}


async def test_progress_keeps_claim_and_command_and_tells_the_latest(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage, slots=2):
        await api.command()
        job, progress = await started(stage)
        thread = threading.Thread(target=progress, args=(42, 99))
        thread.start()
        thread.join()
        async with asyncio.timeout(5):
            while (said := await api.progress.get()).done_bytes != 42:
                pass
        assert (said.generation, said.run_id, said.total_bytes) == (1, job.run_id, 99)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - began < ACK_WAIT.total_seconds() + 0.5:
            await api.progress.get()
        assert await api.redelivered() == 0
        stage.end(job)
        assert (await api.one_report()).outcome == stored(job)


@pytest.mark.usefixtures("worker")
async def test_stop_as_the_answer_to_progress_ends_the_run_without_a_report(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    await api.command()
    await started(stage)
    api.go_on = False
    await soon(stage.cancelled)
    await drained(api)
    assert await api.reports(SHORT) == []


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("hinted", [2, 3])
async def test_a_cancel_hint_ends_runs_of_its_generation_and_older_only(
    api: ScriptedApi, stage: ScriptedStage, hinted: int
) -> None:
    api.lease = timedelta(hours=1)
    await api.command(generation=2)
    await started(stage)
    await api.cancel(generation=1)
    await api.cancel(generation=2, task_id=UUID(int=0))
    await asyncio.sleep(0.1)
    assert not stage.cancelled.is_set()
    await api.cancel(generation=hinted)
    await soon(stage.cancelled)
    await drained(api)
    assert await api.reports(SHORT) == []


@pytest.mark.usefixtures("worker")
async def test_the_deadline_ends_the_run_and_is_reported(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    api.deadline = timedelta(seconds=0.3)
    await api.command()
    await started(stage)
    await soon(stage.cancelled)
    outcome = (await api.one_report()).outcome
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == DEADLINE_EXCEEDED
    await drained(api)


async def test_a_redelivery_during_the_run_does_not_start_it_twice(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    api.lease = timedelta(hours=1)  # so seldom a sign of life that the broker thinks it dead
    async with working(nats_server, stage, slots=2):
        await api.command()
        job, _ = await started(stage)
        await asyncio.sleep(ACK_WAIT.total_seconds() * 1.5)
        assert (api.claims.qsize(), stage.started.qsize()) == (1, 0)
        stage.end(job)
        await api.one_report()
        await drained(api)


async def test_a_graceful_stop_gives_the_claim_back(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage):
        await api.command()
        await started(stage)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 3
    assert stage.cancelled.is_set()
    assert (await api.one_report()).outcome == Released(reason="shutdown")
    assert await api.commands_left() == 0


async def test_a_stop_is_bounded_when_the_broker_is_away(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage):
        await api.command()
        await started(stage)
        nats_server.kill()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 6
    nats_server.start()
    assert await api.reports(SHORT) == []


@pytest.mark.usefixtures("worker")
async def test_a_run_outlives_the_broker_and_its_report_waits(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    await api.command()
    job, _ = await started(stage)
    # The broker may have forgotten that it delivered the command.
    api.script = [Stop("stale")] * 3
    nats_server.kill()
    stage.end(job)
    await asyncio.sleep(0.5)
    nats_server.start()
    assert (await api.one_report()).outcome == stored(job)
    await drained(api)
    assert await api.reports(SHORT) == []
    assert stage.started.empty()


@pytest.mark.usefixtures("worker")
async def test_a_wiped_broker_costs_nothing_but_time(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    await api.command()
    job, _ = await started(stage)
    await api.lose_everything(nats_server)
    stage.end(job)
    await asyncio.sleep(0.5)  # the worker meets the empty broker
    await api.bus.ensure_topology(ACK_WAIT)
    assert (await api.one_report()).outcome == stored(job)
    await api.command(generation=2)
    again, _ = await started(stage)
    assert again.generation == 2


async def test_a_run_answers_for_its_command_that_a_wiped_broker_was_given_anew(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage, slots=2):
        api.script = [Stop("stale")]
        await api.command(generation=1)  # so that the next has another place in the stream
        await drained(api)
        await api.command(generation=2)
        job, _ = await started(stage)
        await api.lose_everything(nats_server)
        await api.bus.ensure_topology(ACK_WAIT)
        await api.command(generation=2)
        await api.command_taken()
        stage.end(job)
        await api.one_report()
        await drained(api)
    assert (api.claims.qsize(), stage.started.qsize()) == (2, 0)


async def test_the_report_is_out_before_the_command_is_acknowledged(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    """While the stream of reports takes nothing, the command stays."""
    async with working(nats_server, stage):
        await refuse_reports(nats_server)
        await api.command()
        job, _ = await started(stage)
        stage.end(job)
        await asyncio.sleep(0.5)
        assert await api.commands_left() == 1
        await api.bus.ensure_topology(ACK_WAIT)
        assert (await api.one_report()).outcome == stored(job)
        await drained(api)


@pytest.mark.usefixtures("worker")
async def test_a_report_that_waits_is_dropped_with_the_claim(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    await refuse_reports(nats_server)
    await api.command()
    job, _ = await started(stage)
    stage.end(job)
    await asyncio.sleep(0.5)  # the report meets the full stream
    api.go_on = False
    await drained(api)
    await api.bus.ensure_topology(ACK_WAIT)
    assert await api.reports(SHORT) == []
    assert not stage.cancelled.is_set()


class Late(ScriptedStage):
    """Comes to its end in the very moment in which it is cancelled."""

    async def run(self, job: Job, progress: Progress) -> Outcome:
        self.started.put_nowait((job, progress))
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return stored(job)


async def test_what_was_stored_when_the_claim_was_lost_is_reported(
    api: ScriptedApi, nats_server: NatsServer
) -> None:
    """The API will not believe it, but it deletes the bytes."""
    stage = Late()
    async with working(nats_server, stage):
        await api.command()
        job, _ = await started(stage)
        await api.cancel(generation=1)
        assert (await api.one_report()).outcome == stored(job)
        await drained(api)


class Poison(ScriptedStage):
    """Does what no stage may do."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        super().__init__()
        self._outcome = outcome

    async def run(self, job: Job, progress: Progress) -> Outcome:
        self.started.put_nowait((job, progress))
        if self._outcome is None:
            raise ZeroDivisionError("secret path")
        return self._outcome


@pytest.mark.parametrize("outcome", [None, Refused(problems=()), "what?"])
async def test_a_stage_that_fails_is_reported_and_the_worker_goes_on(
    api: ScriptedApi, nats_server: NatsServer, outcome: Outcome | None
) -> None:
    with capture_logs() as logs:
        async with working(nats_server, Poison(outcome)):
            for generation in (1, 2):
                await api.command(generation)
                said = (await api.one_report()).outcome
                assert isinstance(said, Failed)
                assert said.problem.code == INTERNAL_ERROR
                assert "secret" not in said.problem.detail
            await drained(api)
    assert sum("exc_info" in entry for entry in logs) == 2


@pytest.mark.usefixtures("worker")
async def test_a_command_that_makes_no_sense_is_dropped(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    subject = subjects.work("download", TASK, 1)
    await api.bus.publish(subject, b"\xff", Envelope(type=wire.COMMAND))
    await drained(api)
    assert stage.started.empty()


async def test_as_many_runs_as_slots(
    api: ScriptedApi, stage: ScriptedStage, nats_server: NatsServer
) -> None:
    async with working(nats_server, stage, slots=2):
        for generation in (1, 2, 3):
            await api.command(generation)
        jobs = [(await started(stage))[0] for _ in range(2)]
        await asyncio.sleep(0.2)
        assert stage.started.empty()
        assert {job.generation for job in jobs} == {1, 2}
        stage.ending.set_result(
            Stored(
                blob_key="x",
                size_bytes=1,
                md5="0" * 32,
                problems=(Problem(code="c", severity=Severity.INFO, detail="d"),),
            )
        )
        assert (await started(stage))[0].generation == 3
        await drained(api)


@pytest.mark.usefixtures("worker")
async def test_the_trace_of_a_command_goes_through_to_the_report(
    api: ScriptedApi, stage: ScriptedStage
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await api.bus.publish(
        subjects.work("download", TASK, 1),
        wire.encode_command(Command(TASK, 1)),
        Envelope(type=wire.COMMAND, traceparent=trace),
    )
    job, _ = await started(stage)
    stage.end(job)
    async with api.bus.pulling(streams.REPORTS, "api") as puller:
        (delivery,) = await puller.pull(1, timedelta(seconds=2))
    assert delivery.traceparent == trace
