"""One run: the stage at work, its signs of life, its end and its report."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from shared.bus import subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.failpoints import reach
from shared.problems import Problem, Severity
from shared.stage import wire
from shared.stage.job import Failed, Released
from shared.stage.messages import ProgressRequest, Report
from shared.stage.tracing import span_in

if TYPE_CHECKING:
    from shared.bus.bus import Bus
    from shared.bus.pull import Delivery
    from shared.stage.job import Job, Outcome, Stage
    from shared.stage.messages import Go

INTERNAL_ERROR: Final = "internal_error"
DEADLINE_EXCEEDED: Final = "deadline_exceeded"
EXHAUSTED: Final = "worker_exhausted"

_BEATS_PER_LEASE: Final = 3
# So that who watches sees progress every second, also when a beat is late.
_SHORTEST_BEAT_SECONDS: Final = 0.3
# However long the lease is, those who watch want to see how far a run is.
_LONGEST_BEAT_SECONDS: Final = 10.0
_CANCEL_SECONDS: Final = 5.0
_EXHAUSTED_WAIT: Final = timedelta(seconds=10)
_FIRST_RETRY_SECONDS: Final = 0.2
_LONGEST_RETRY_SECONDS: Final = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ended:
    """Why a run was ended from outside; without an outcome there is nothing to report."""

    outcome: Outcome | None


class Progress:
    """How far a run is; may be told from any thread."""

    def __init__(self) -> None:
        """Start at nothing done."""
        self._loop = asyncio.get_running_loop()
        self.changed = asyncio.Event()
        self.latest: tuple[int, int | None] = (0, None)

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        """Note that so many bytes are done, of so many if that is known."""
        self.latest = (done_bytes, total_bytes)
        if not self.changed.is_set():
            with suppress(RuntimeError):  # a thread that outlives the loop has nobody to tell
                self._loop.call_soon_threadsafe(self.changed.set)


class Run:
    """One go at one job, from the claim to the report.

    ``deadline`` is the moment, on the loop's clock, at which it must have ended.
    """

    def __init__(
        self, bus: Bus, stage: Stage, go: Go, delivery: Delivery, *, deadline: float
    ) -> None:
        """Prepare the run that the claim allows; the delivery is its command."""
        self._bus = bus
        self._stage = stage
        self._go = go
        self._job: Job = go.job
        self._delivery = delivery
        self._deadline = deadline
        self._progress = Progress()
        self._ended: asyncio.Future[_Ended] = asyncio.get_running_loop().create_future()
        self._log = log.bind(
            task=str(self._job.task_id),
            generation=self._job.generation,
            run=str(self._job.run_id),
            stage=stage.name,
        )

    def adopt(self, delivery: Delivery) -> None:
        """Answer for a later delivery of the command instead of the first one."""
        self._delivery = delivery

    def end(self, outcome: Outcome | None) -> None:
        """End the run from outside, with what to report or, without a claim, nothing."""
        if not self._ended.done():
            self._ended.set_result(_Ended(outcome))

    async def execute(self) -> None:
        """Work, report, and only then acknowledge the command; all in the command's trace."""
        with span_in(self._delivery.traceparent, f"run {self._stage.name}"):
            await self._execute()

    async def _execute(self) -> None:
        self._log.info("run_started", attempt=self._job.attempt)
        beat = asyncio.create_task(self._beat())
        try:
            outcome = await self._work()
            if outcome is not None:
                await self._report(outcome)
                reach("worker.reported")
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        await self._delivery.ack()
        self._log.info("run_ended", outcome=type(outcome).__name__ if outcome else "void")

    async def _work(self) -> Outcome | None:
        work = asyncio.create_task(self._stage.run(self._job, self._progress))
        left = self._deadline - asyncio.get_running_loop().time()
        either: set[asyncio.Future[Any]] = {work, self._ended}
        try:
            await asyncio.wait(either, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            finished = work.done()
            await self._cancel(work)
        if finished:
            return _outcome_of(work) or _internal_error()
        ended = self._ended.result() if self._ended.done() else _Ended(_deadline_exceeded())
        self._log.info("run_interrupted", outcome=repr(ended.outcome))
        # It may have come to its end in the very moment of the cancel.
        return _outcome_of(work) or ended.outcome

    async def _cancel(self, work: asyncio.Task[Outcome]) -> None:
        work.cancel()
        await asyncio.wait({work}, timeout=_CANCEL_SECONDS)
        if not work.done():
            self._log.error("run_ignores_cancel")
        elif not work.cancelled() and _is_exhausted(work.exception()):
            self._log.warning("worker_exhausted", error=str(work.exception()))
        elif not work.cancelled() and work.exception() is not None:
            self._log.error("stage_failed", exc_info=work.exception())

    async def _report(self, outcome: Outcome) -> None:
        """Offer the report to the bus until it has it, or the run lost its claim meanwhile.

        Once in any case: the API deletes what a run has stored that it does not believe.
        """
        payload = self._encode(outcome)
        envelope = Envelope(
            type=wire.REPORT, id=str(self._job.run_id), traceparent=self._delivery.traceparent
        )
        subject = subjects.report(self._stage.name, self._job.task_id)
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                return await self._bus.publish(subject, payload, envelope)
            except BusUnavailable as error:
                self._log.warning("report_waits", error=repr(error))
            if self._ended.done() and self._ended.result().outcome is None:
                return None
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_RETRY_SECONDS)

    def _encode(self, outcome: Outcome) -> bytes:
        try:
            return self._encoded(outcome)
        except (ValueError, TypeError, AttributeError):  # the stage broke its contract
            self._log.exception("outcome_invalid")
            return self._encoded(_internal_error())

    def _encoded(self, outcome: Outcome) -> bytes:
        return wire.encode_report(Report(self._job.generation, self._job.run_id, outcome))

    async def _beat(self) -> None:
        """Keep the claim and the command, and hear whether the claim is lost."""
        longest = min(self._go.lease.total_seconds() / _BEATS_PER_LEASE, _LONGEST_BEAT_SECONDS)
        shortest = min(_SHORTEST_BEAT_SECONDS, longest)
        while True:
            await asyncio.sleep(shortest)
            with suppress(TimeoutError):
                async with asyncio.timeout(longest - shortest):
                    await self._progress.changed.wait()
            self._progress.changed.clear()
            await self._delivery.in_progress()
            if not await self._may_go_on(timedelta(seconds=longest)):
                return self.end(None)

    async def _may_go_on(self, wait: timedelta) -> bool:
        done, total = self._progress.latest
        request = ProgressRequest(self._job.generation, self._job.run_id, done, total)
        try:
            answer = await self._bus.request(
                subjects.progress(self._stage.name, self._job.task_id),
                wire.encode_progress(request),
                Envelope(type=wire.PROGRESS, traceparent=self._delivery.traceparent),
                wait=wait,
            )
            return wire.decode_progress_reply(answer)
        except (BusUnavailable, wire.MalformedMessage) as error:
            # No answer means go on: should another run hold the claim by now, ours is not believed.
            self._log.debug("progress_unanswered", error=repr(error))
            return True


def _outcome_of(work: asyncio.Task[Outcome]) -> Outcome | None:
    if not work.done() or work.cancelled():
        return None
    if _is_exhausted(work.exception()):
        return Released(reason=EXHAUSTED, retry_after=_EXHAUSTED_WAIT)
    return work.result() if work.exception() is None else None


def _is_exhausted(error: BaseException | None) -> bool:
    """Whether it is this worker that has no descriptors left, which says nothing of the job."""
    return isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}


def _internal_error() -> Failed:
    detail = "The stage failed by a fault of its own; the log of the worker says more."
    return Failed(problem=Problem(code=INTERNAL_ERROR, severity=Severity.ERROR, detail=detail))


def _deadline_exceeded() -> Failed:
    detail = "The stage did not end within the time that a run may take."
    return Failed(problem=Problem(code=DEADLINE_EXCEEDED, severity=Severity.ERROR, detail=detail))
