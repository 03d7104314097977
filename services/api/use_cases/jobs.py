"""Jobs: make a write now, and tell later how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from uuid_utils.compat import uuid7

from services.api.db import job_rows, snapshots
from services.api.domain import upload_tracks, uploads
from services.api.domain.errors import NotFound
from services.api.domain.jobs import COLLECTION, Job
from services.api.domain.queries import JobQuery
from services.api.domain.task import Target
from services.api.domain.upload_tracks import UploadTrack
from services.api.domain.uploads import Upload
from services.api.use_cases.found import found
from services.api.use_cases.once import run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal

Subject = TypeVar("Subject", bound=UploadTrack | Upload)

READ = "uploads:read"
_COLLECTIONS = {UploadTrack: upload_tracks.COLLECTION, Upload: uploads.COLLECTION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Write(Generic[Subject]):
    """A write that a job stands for: the ``unit`` gives what is written.

    ``asked`` is what was asked for, to tell requests with the same key apart. A write that
    ``waits`` ends with the import task of the track, any other at once.
    """

    action: str
    unit: Callable[[Transaction], Subject]
    asked: tuple[object, ...] = ()
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Jobs:
    """What clients can do with jobs."""

    executor: Executor

    async def run(
        self, who: Principal, write: Write[Subject], *, options: Options = AT_ONCE
    ) -> Job:
        """Make a write, and the job that tells of it, in one transaction.

        Raises as the unit, and KeyReused.
        """

        def unit(transaction: Transaction) -> Job:
            subject = write.unit(transaction)
            now = transaction.now()
            waits_for = None
            if write.waits and isinstance(subject, UploadTrack):
                waits_for = subject.task_id
            collection = _COLLECTIONS[type(subject)]
            job = Job(
                id=uuid7(),
                tenant=who.tenant,
                number=transaction.number(who.tenant, COLLECTION),
                action=f"{collection}.{write.action}",
                resource=Target(collection, subject.id),
                created_at=now,
                task_id=waits_for,
            )
            if waits_for is None:
                job = job.ended(now, snapshots.dump(subject), None)
            job_rows.insert(transaction, job)
            return job

        asked = (COLLECTION, write.action, *write.asked)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def get(self, who: Principal, id_: UUID) -> Job:
        """One job. Raises NotFound."""
        who.require(READ)
        job = await self.executor.read(lambda c: job_rows.find(c, who.tenant, id_))
        return found(job, COLLECTION, id_)

    async def numbered(self, who: Principal, number: int) -> Job:
        """The job with a number. Raises NotFound."""
        page = await self.list(who, JobQuery(numbers=frozenset({number}), limit=1))
        if not page.items:
            raise NotFound(COLLECTION, number)
        return page.items[0]

    async def list(self, who: Principal, query: JobQuery) -> Page[Job]:
        """A page of the tenant's jobs, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(lambda c: job_rows.fetch_page(c, who.tenant, query))


def subject_of(job: Job) -> UploadTrack | Upload | None:
    """What a job has written, as it was at its end; None when it is gone, or not done."""
    subject = snapshots.load(job.result)
    return subject if isinstance(subject, (UploadTrack, Upload)) else None
