"""Answers the workers' claims and progress; the decision is the core's, on the locked row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from services.api.domain import runs as domain
from services.api.domain.errors import Unavailable
from services.api.inbound import bury, parse_run
from shared.bus import subjects
from shared.failpoints import reach
from shared.stage import wire
from shared.stage.job import Job
from shared.stage.messages import ClaimReply, Go, Later, Stop

if TYPE_CHECKING:
    from services.api.use_cases.dead_letters import DeadLetters
    from services.api.use_cases.runs import Runs
    from shared.bus.bus import Bus
    from shared.bus.serve import Handler, Request

# Replicas of the API share the requests.
QUEUE: Final = "api"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """The desk where workers ask; no answer means: ask again, or go on."""

    bus: Bus
    runs: Runs
    dead_letters: DeadLetters

    async def run(self) -> None:
        """Answer for ever; raises BusClosed when the connection is gone for good."""
        claim, progress = self._guarded(self.claim), self._guarded(self.progress)
        async with (
            self.bus.serving(subjects.ALL_CLAIMS, claim, queue=QUEUE),
            self.bus.serving(subjects.ALL_PROGRESS, progress, queue=QUEUE),
        ):
            await self.bus.until_closed()

    async def claim(self, request: Request) -> bytes:
        """The answer to a claim. Raises ValueError for what makes no sense, and Unavailable."""
        stage, task_id = parse_run(request.subject)
        wire.expect(request.type, wire.CLAIM)
        claim = wire.decode_claim(request.payload)
        run = domain.Run(stage, claim.generation, claim.run_id)
        decision = await self.runs.claim(task_id, run)
        if isinstance(decision, (domain.Go, domain.GoPublish)):
            reach("api.claimed")
        return wire.encode_claim_reply(self._reply(decision, run))

    async def progress(self, request: Request) -> bytes:
        """The answer to progress. Raises ValueError for what makes no sense, and Unavailable."""
        stage, task_id = parse_run(request.subject)
        wire.expect(request.type, wire.PROGRESS)
        said = wire.decode_progress(request.payload)
        run = domain.Run(stage, said.generation, said.run_id)
        go_on = await self.runs.progress(task_id, run, said.done_bytes, said.total_bytes)
        return wire.encode_progress_reply(go_on=go_on)

    def _reply(self, decision: domain.Decision, run: domain.Run) -> ClaimReply:
        limits = self.runs.limits
        match decision:
            case domain.Go():
                job = _job(decision, run, limits.max_attempts)
                return Go(job, limits.lease, limits.deadlines[run.stage])
            case domain.GoPublish():
                job = _publish_job(decision, run, limits.max_attempts)
                return Go(job, limits.lease, limits.deadlines[run.stage])
            case domain.Later(delay=delay):
                return Later(delay)
            case domain.Stop(reason=reason):
                return Stop(reason)

    def _guarded(self, answer: Handler) -> Handler:
        async def guarded(request: Request) -> bytes | None:
            try:
                return await answer(request)
            except Unavailable as error:
                _log.warning("request_unanswered", subject=request.subject, error=repr(error))
            except (wire.MalformedMessage, subjects.BadSubject) as error:
                await bury(self.dead_letters, request.subject, request.payload, error)
            return None

        return guarded


def _job(go: domain.Go, run: domain.Run, max_attempts: int) -> Job:
    task, duration = go.task, go.stereo_duration
    master = task.master
    return Job(
        task_id=task.id,
        generation=run.generation,
        run_id=run.id,
        tenant=task.tenant,
        master_type=task.master_type,
        source_uri=task.source_uri or "",
        declared_md5=task.declared_md5 or "",
        blob_key=master.blob_key if master else "",
        size_bytes=master.size_bytes if master else 0,
        actual_md5=master.md5 if master else "",
        attempt=task.attempts,
        max_attempts=max_attempts,
        delivery_profile=go.delivery_profile or "",
        stereo_duration_seconds=None if duration is None else duration.total_seconds(),
        source_headers=go.source_headers.fields if go.source_headers else {},
        max_bytes=go.max_bytes,
    )


def _publish_job(go: domain.GoPublish, run: domain.Run, max_attempts: int) -> Job:
    publication, master = go.publication, go.record.master
    return Job(
        task_id=publication.id,
        generation=run.generation,
        run_id=run.id,
        tenant=publication.tenant,
        master_type=go.record.master_type,
        blob_key=master.blob_key,
        size_bytes=master.size_bytes,
        actual_md5=master.md5,
        attempt=publication.attempts,
        max_attempts=max_attempts,
        max_bytes=go.max_bytes,
        formats=publication.formats,
        tags=go.tags,
        cover_key=go.cover_key,
    )
