"""Takes the workers' reports in batches, has them applied, and acknowledges after the commit."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from services.api.domain import runs as domain
from services.api.domain.errors import Unavailable
from services.api.domain.publishing import PublishedFile
from services.api.domain.task import Finding, Master
from services.api.inbound import bury, parse_run
from services.api.pause import Pause
from services.api.use_cases.reports import BrokenReport, unpack
from shared.bus import streams, subjects
from shared.bus.errors import BusUnavailable, TopologyMissing
from shared.failpoints import reach
from shared.stage import job, wire

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from uuid import UUID

    from services.api.use_cases.dead_letters import DeadLetters
    from services.api.use_cases.runs import Runs
    from shared.bus.bus import Bus
    from shared.bus.pull import Delivery, Puller
    from shared.problems import Problem

BATCH: Final = 256
TRIES: Final = 3
_PULL_WAIT: Final = timedelta(seconds=0.5)
# As long as who asks on the bus waits for an answer.
_END_SECONDS: Final = 2.0
_MAX_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Reports:
    """The reader of reports. ``ack_wait``: see Dispatcher; ``again_after``: after trouble."""

    bus: Bus
    runs: Runs
    dead_letters: DeadLetters
    ack_wait: timedelta
    again_after: timedelta = timedelta(seconds=1)
    # How often a report failed for a reason of its own, by its place in the stream.
    _failures: OrderedDict[int, int] = field(default_factory=OrderedDict, init=False)

    async def run(self) -> None:
        """Apply for ever; raises BusClosed when the connection is gone for good.

        Who cancels it waits for the round to end: a report that was taken and not answered for
        would come again after a lease only, when its run's claim may have ended.
        """
        pause = Pause()
        async with self.bus.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
            while True:
                try:
                    await _to_its_end(self.round(puller))
                except BusUnavailable as error:
                    _log.warning("reports_delayed", error=repr(error))
                    await pause.wait()
                else:
                    pause.reset()

    async def round(self, puller: Puller) -> None:
        """Take a batch and answer for each of its reports; raises BusUnavailable, BusClosed.

        They are handed over side by side, so that they share commits.
        """
        try:
            batch = await puller.pull(BATCH, _PULL_WAIT)
        except TopologyMissing:
            # Of all loops this one meets a wiped broker first, as it always asks.
            await self.bus.ensure_topology(self.ack_wait)
            return
        await asyncio.gather(*(self._take(delivery) for delivery in batch))

    async def _take(self, delivery: Delivery) -> None:
        try:
            await self._apply(delivery)
        except Unavailable as error:
            _log.warning("report_postponed", subject=delivery.subject, error=repr(error))
            await delivery.nak(self.again_after)
        else:
            reach("api.reported")
            self._failures.pop(delivery.sequence, None)
            await delivery.ack()

    async def _apply(self, delivery: Delivery) -> None:
        """Return when the report may be acknowledged; raises Unavailable when not yet."""
        try:
            stage, task_id = parse_run(delivery.subject)
            wire.expect(delivery.type, wire.REPORT)
            report = wire.decode_report(delivery.payload, task_id)
        except (wire.MalformedMessage, subjects.BadSubject) as error:
            return await bury(self.dead_letters, delivery.subject, delivery.payload, error)
        run = domain.Run(stage, report.generation, report.run_id)
        try:
            applied = await self.runs.report(task_id, run, to_domain(report.outcome))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the edge: one report must not stop the others
            _log.exception("report_failed", task=str(task_id), run=str(run.id), stage=stage)
            return await self._failed(delivery, task_id, run, error)
        _log.info("report", task=str(task_id), run=str(run.id), stage=stage, applied=applied)
        return None

    async def _failed(
        self, delivery: Delivery, task_id: UUID, run: domain.Run, error: Exception
    ) -> None:
        failures = self._failures.get(delivery.sequence, 0) + 1
        if failures < TRIES:
            self._failures[delivery.sequence] = failures
            if len(self._failures) > _MAX_REMEMBERED:
                self._failures.popitem(last=False)
            raise Unavailable(f"failed {failures} times") from error
        await bury(self.dead_letters, delivery.subject, delivery.payload, error)
        await self.runs.give_up(task_id, run)


async def _to_its_end(round_: Coroutine[None, None, None]) -> None:
    """Run a round; who is cancelled meanwhile waits for its end, a while."""
    task = asyncio.create_task(round_)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_END_SECONDS)
        raise
    finally:
        task.cancel()


def to_domain(outcome: job.Outcome) -> domain.Outcome:
    """An outcome in the core's words."""
    match outcome:
        case job.Stored():
            return domain.Stored(master=_master(outcome), problems=_findings(outcome.problems))
        case job.Accepted(md5=md5, size_bytes=size, format=seen, problems=problems):
            return domain.Accepted(
                md5=md5,
                size_bytes=size,
                format=asdict(seen),
                problems=_findings(problems),
                report=_sound(outcome.report),
                converted=_master(outcome.converted) if outcome.converted else None,
            )
        case job.Published():
            return domain.Published(files=tuple(_file(outcome, each) for each in outcome.files))
        case job.Refused(problems=problems, format=seen):
            return domain.Refused(
                problems=_findings(problems),
                format=asdict(seen) if seen else None,
                report=_sound(outcome.report),
            )
        case job.Failed(problem=problem, retry_after=wait):
            return domain.Failed(problem=_finding(problem), retry_after=wait)
        case job.Released(reason=reason, retry_after=wait):
            return domain.Released(reason=reason, retry_after=wait)


def _file(outcome: job.Published, file: job.StoredFile) -> PublishedFile:
    return PublishedFile(
        **asdict(file),
        duration_seconds=outcome.duration_seconds,
        integrated_lufs=outcome.integrated_lufs,
        true_peak_dbtp=outcome.true_peak_dbtp,
    )


def _sound(report: bytes) -> bytes:
    """The validation report, or nothing in the place of one that cannot be served."""
    try:
        if report:
            unpack(report)
    except BrokenReport as error:
        _log.warning("report_dropped", reason=str(error))
        return b""
    return report


def _master(stored: job.Stored) -> Master:
    return Master(blob_key=stored.blob_key, size_bytes=stored.size_bytes, md5=stored.md5)


def _findings(problems: Iterable[Problem]) -> tuple[Finding, ...]:
    return tuple(_finding(problem) for problem in problems)


def _finding(problem: Problem) -> Finding:
    return {**asdict(problem), "severity": problem.severity.value}
