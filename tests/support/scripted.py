"""An API that answers as the test says, and a stage that does as the test says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.roles import Role
from shared.problems import Format
from shared.stage import wire
from shared.stage.job import Accepted, Job, Outcome, Progress, Stage, Stored
from shared.stage.messages import (
    CancelHint,
    ClaimReply,
    ClaimRequest,
    Command,
    Go,
    ProgressRequest,
    Report,
)
from shared.stage.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.js.api import ConsumerInfo

    from shared.bus.bus import Bus
    from shared.bus.serve import Request
    from tests.support.nats import NatsServer

TASK = UUID("01890000-0000-7000-8000-000000000001")
LEASE = timedelta(seconds=0.6)
HOUR = timedelta(hours=1)
GRACE = timedelta(seconds=2)
LOOK_AGAIN = timedelta(seconds=0.2)
_ROLES = {
    "download": Role.DOWNLOADER,
    "validate": Role.VALIDATOR,
    "publish": Role.PUBLISHER,
}


class ScriptedApi:
    """Answers claims and progress as ``decide`` and ``go_on`` say, and keeps what it is told."""

    def __init__(self, bus: Bus) -> None:
        """Allow everything until told otherwise."""
        self.bus = bus
        self.lease = LEASE
        self.deadline = HOUR
        self.script: list[ClaimReply | None] = []
        self.go_on = True
        self.claims: asyncio.Queue[ClaimRequest] = asyncio.Queue()
        self.progress: asyncio.Queue[ProgressRequest] = asyncio.Queue()

    async def claim(self, request: Request) -> bytes | None:
        task_id = subjects.parse_run(request.subject).task_id
        claim = wire.decode_claim(request.payload)
        self.claims.put_nowait(claim)
        reply = self.script.pop(0) if self.script else self.allow(task_id, claim)
        return None if reply is None else wire.encode_claim_reply(reply)

    def allow(self, task_id: UUID, claim: ClaimRequest) -> Go:
        job = Job(
            task_id=task_id,
            generation=claim.generation,
            run_id=claim.run_id,
            tenant="default",
            master_type="dolby_atmos",
            source_uri="https://example.com/master.wav",
            max_attempts=5,
        )
        return Go(job, self.lease, self.deadline)

    async def answer_progress(self, request: Request) -> bytes:
        self.progress.put_nowait(wire.decode_progress(request.payload))
        return wire.encode_progress_reply(go_on=self.go_on)

    async def command(self, generation: int = 1, *, type_: str = wire.COMMAND) -> None:
        await self.bus.publish(
            subjects.work("download", TASK, generation),
            wire.encode_command(Command(TASK, generation)),
            Envelope(type=type_),
        )

    async def cancel(self, generation: int, task_id: UUID = TASK) -> None:
        hint = wire.encode_cancel(CancelHint(generation))
        await self.bus.notify(subjects.cancel(task_id), hint, Envelope(type=wire.CANCEL))

    async def lose_everything(self, server: NatsServer) -> None:
        """Wipe the broker, and wait until this bus is connected to it again."""
        server.kill()
        async with asyncio.timeout(10):
            while self.bus.connected:  # noqa: ASYNC110 - the bus has no event for it
                await asyncio.sleep(0.01)
            server.wipe()
            server.start()
            while not self.bus.connected:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)

    async def reports(self, wait: timedelta = timedelta(seconds=1)) -> list[Report]:
        async with self.bus.pulling(streams.REPORTS, "api") as puller:
            found = await puller.pull(10, wait)
            for delivery in found:
                await delivery.ack()
        reports = [wire.decode_report(delivery.payload, TASK) for delivery in found]
        assert [str(report.run_id) for report in reports] == [delivery.id for delivery in found]
        return reports

    async def one_report(self) -> Report:
        async with asyncio.timeout(10):
            while not (found := await self.reports()):
                pass
        (report,) = found
        return report

    async def commands_left(self) -> int:
        info = await self.bus._js.stream_info(streams.WORK)  # noqa: SLF001 - only tests ask
        return int(info.state.messages)

    async def pulls_waiting(self) -> int:
        return (await self._consumer()).num_waiting or 0

    async def command_taken(self) -> None:
        async with asyncio.timeout(10):
            while not (await self._consumer()).num_ack_pending:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    async def redelivered(self) -> int:
        return (await self._consumer()).num_redelivered or 0

    async def _consumer(self) -> ConsumerInfo:
        info: ConsumerInfo = await self.bus._js.consumer_info(streams.WORK, "download")  # noqa: SLF001 - as above
        return info


class ScriptedStage:
    """Runs until the test lets it end."""

    name = "download"

    def __init__(self) -> None:
        """Wait for the test."""
        self.started: asyncio.Queue[tuple[Job, Progress]] = asyncio.Queue()
        self.cancelled = asyncio.Event()
        self.ending: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def run(self, job: Job, progress: Progress) -> Outcome:
        self.started.put_nowait((job, progress))
        try:
            return await asyncio.shield(self.ending)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    def end(self, job: Job) -> None:
        self.ending.set_result(stored(job))


class Quick:
    """A stage that ends well at once."""

    def __init__(self, name: str) -> None:
        """Be this stage."""
        self.name = name

    async def run(self, job: Job, progress: Progress) -> Outcome:
        progress(3, 3)
        if self.name == "download":
            return stored(job)
        return Accepted(md5=job.actual_md5, size_bytes=job.size_bytes, format=Format(codec="PCM"))


def stored(job: Job) -> Stored:
    return Stored(blob_key=job.output_key, size_bytes=3, md5="0" * 32)


@asynccontextmanager
async def working(
    server: NatsServer, stage: Stage, *, slots: int = 1, look_again: timedelta = LOOK_AGAIN
) -> AsyncIterator[Worker]:
    """A worker at work, stopped in order at the end."""
    async with server.bus(_ROLES[stage.name]) as bus:
        worker = Worker(
            bus,
            stage,
            slots=slots,
            grace=GRACE,
            answer_within=timedelta(seconds=0.3),
            look_again=look_again,
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await running
