"""Publish jobs: create, read, change, delete, run; what is published in them: publications.py."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import (
    audit_rows,
    clock,
    publication_rows,
    publish_job_rows,
    record_rows,
    settings_rows,
    task_rows,
)
from services.api.db.publish_job_rows import COLLECTION
from services.api.domain.changes import UNSET, pick
from services.api.domain.errors import NotFound, StateConflict
from services.api.domain.lifecycle import FAILED, PublicationStatus
from services.api.domain.principal import Principal
from services.api.domain.publishing import MAX_QUEUED, PublishJob, follow, queue
from services.api.use_cases import masters
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.once import run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.publishing import Publication
    from services.api.domain.queries import PublishJobQuery
    from services.api.domain.task import Task
    from services.api.use_cases.fields import Text
    from services.api.use_cases.targets import Targets

    Unit = Callable[[Transaction], PublishJob]

READ, WRITE = "publishing:read", "publishing:write"
MAX_NAME = 255
DEFAULT_NAME = "Publishing"
BY_ITSELF = "autopublish"
"""As whom the audit log knows a job that was run by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFields:
    """The values of a request as the client wrote them; UNSET where it wrote none.

    ``oncomplete`` is an https:// or mailto: target.
    """

    display_name: object = UNSET
    contact_email: object = UNSET
    oncomplete: object = UNSET


@dataclass(frozen=True, slots=True)
class PublishJobs:
    """What clients can do with publish jobs; they and what asks for them lead to ``targets``."""

    executor: Executor
    targets: Targets

    async def create(
        self, who: Principal, fields: JobFields, *, options: Options = AT_ONCE
    ) -> PublishJob:
        """Make a job; the tenant's contact is told of its end unless another is given.

        Raises InvalidFields, KeyReused.
        """
        who.require(WRITE)
        values = self._read(fields, creating=True)

        def unit(transaction: Transaction) -> PublishJob:
            settings = settings_rows.find(transaction.connection, who.tenant)
            contact = pick(values.contact_email, settings.contact_email)
            job = _new(
                transaction,
                who.tenant,
                display_name=pick(values.display_name, None) or DEFAULT_NAME,
                contact_email=contact,
                oncomplete=pick(values.oncomplete, None),
            )
            publish_job_rows.insert(transaction, job)
            _audit(transaction, who, "create", job.id)
            return job

        asked = (COLLECTION, "create", fields)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def default(self, who: Principal) -> PublishJob:
        """The tenant's default job, made now if there is none yet."""
        who.require(WRITE)
        job = await self.executor.read(lambda c: publish_job_rows.find_default(c, who.tenant))
        if job is not None:
            return job
        return await self.executor.write(self._default(who))

    @staticmethod
    def _default(who: Principal) -> Unit:
        who.require(WRITE)

        def unit(transaction: Transaction) -> PublishJob:
            settings = settings_rows.find(transaction.connection, who.tenant)
            job = _new(
                transaction,
                who.tenant,
                display_name=DEFAULT_NAME,
                contact_email=settings.contact_email,
                is_default=True,
            )
            if publish_job_rows.insert(transaction, job):
                _audit(transaction, who, "create", job.id)
                return job
            there = publish_job_rows.find_default(transaction.connection, who.tenant)
            return found(there, COLLECTION, job.id)

        return unit

    async def get(self, who: Principal, id_: UUID) -> PublishJob:
        """One job. Raises NotFound."""
        who.require(READ)
        job = await self.executor.read(lambda c: publish_job_rows.find(c, who.tenant, id_))
        return found(job, COLLECTION, id_)

    async def list(self, who: Principal, query: PublishJobQuery) -> Page[PublishJob]:
        """A page of the tenant's jobs, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(lambda c: publish_job_rows.fetch_page(c, who.tenant, query))

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: JobFields,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> PublishJob:
        """Change a job. Raises InvalidFields, NotFound, EtagMismatch, KeyReused."""
        who.require(WRITE)
        values = self._read(fields, creating=False)

        def unit(transaction: Transaction) -> PublishJob:
            before = _lock(transaction, who, id_, version)
            after = _changed(transaction, before, values)
            if after is not before:
                _audit(transaction, who, "update", id_)
            return after

        asked = (COLLECTION, "update", id_, fields, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a job with all its publications and their renditions.

        Raises NotFound, EtagMismatch, and StateConflict while it is under way.
        """
        who.require(WRITE)

        def unit(transaction: Transaction) -> None:
            all_of_them = publication_rows.lock_all(transaction, job_id=id_, tenant=who.tenant)
            job = _lock(transaction, who, id_, version)
            if job.is_running:
                raise StateConflict("Something is being published in this job.")
            for each in all_of_them:
                publication_rows.remove(transaction, each)
                keys = {rendition.blob_key for rendition in each.renditions}
                masters.doom(transaction, keys, transaction.now())
            publish_job_rows.remove(transaction, job)
            _audit(transaction, who, "delete", id_)

        await self.executor.write(unit)

    async def run(
        self,
        who: Principal,
        id_: UUID,
        *,
        oncomplete: object = UNSET,
        options: Options = AT_ONCE,
    ) -> PublishJob:
        """Queue the drafts of a job, at most MAX_QUEUED; who has no master yet waits for it.

        An ``oncomplete`` takes the place of the one there is. Raises InvalidFields, NotFound,
        KeyReused.
        """
        who.require(WRITE)
        values = self._read(JobFields(oncomplete=oncomplete), creating=False)

        def unit(transaction: Transaction) -> PublishJob:
            job = publish_job_rows.find(transaction.connection, who.tenant, id_)
            found(job, COLLECTION, id_)
            return _run(transaction, who, id_, values)

        asked = (COLLECTION, "run", id_, oncomplete)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def run_due(self, limit: int) -> int:
        """Run some jobs whose time has come, each in a unit of its own; gives how many there were.

        One that was put off meanwhile, or is gone, is left alone.
        """
        due = await self.executor.read(lambda c: publish_job_rows.fetch_due(c, clock.now(c), limit))
        for tenant, id_ in due:
            with suppress(NotFound):
                await self.executor.write(_running_if_due(tenant, id_))
        return len(due)

    def _read(self, fields: JobFields, *, creating: bool) -> _Values:
        reader = Reader((), creating=creating)
        mail = self.targets.mail_reader(reader, "contact_email")
        target = self.targets.reader(reader, "oncomplete")
        values = _Values(
            display_name=reader.line("display_name", fields.display_name, MAX_NAME),
            contact_email=reader.text("contact_email", fields.contact_email, mail),
            oncomplete=reader.text("oncomplete", fields.oncomplete, target),
        )
        reader.finish()
        return values


def _running_if_due(tenant: str, id_: UUID) -> Callable[[Transaction], None]:
    who = Principal(tenant=tenant, token_id=BY_ITSELF, scopes=frozenset({WRITE}))

    def unit(transaction: Transaction) -> None:
        job = publish_job_rows.find(transaction.connection, tenant, id_)
        if job is not None and job.run_at is not None and job.run_at <= transaction.now():
            _run(transaction, who, id_, _Values(UNSET, UNSET, UNSET))

    return unit


def _run(transaction: Transaction, who: Principal, id_: UUID, values: _Values) -> PublishJob:
    connection = transaction.connection
    # In this order everybody locks: tasks, publications, jobs.
    task_ids = publication_rows.drafts(connection, id_, MAX_QUEUED)
    tasks = {each: task_rows.lock(transaction, each) for each in sorted(set(task_ids))}
    for draft in publication_rows.lock_all(
        transaction, job_id=id_, status=PublicationStatus.DRAFT, limit=MAX_QUEUED
    ):
        if task := tasks.get(draft.task_id):
            queue_draft(transaction, draft, task)
    job = _changed(transaction, _lock(transaction, who, id_, None), values)
    if job.run_at is not None and not job.counts[PublicationStatus.DRAFT]:
        job = replace(job, run_at=None)
        publish_job_rows.save(transaction, job)
    _audit(transaction, who, "run", id_)
    return job


@dataclass(frozen=True, slots=True)
class _Values:
    display_name: Text
    contact_email: Text
    oncomplete: Text


def _new(
    transaction: Transaction,
    tenant: str,
    *,
    display_name: str,
    contact_email: str | None,
    oncomplete: str | None = None,
    is_default: bool = False,
) -> PublishJob:
    now = transaction.now()
    return PublishJob(
        id=uuid7(),
        tenant=tenant,
        number=transaction.number(tenant, COLLECTION),
        display_name=display_name,
        contact_email=contact_email,
        oncomplete=oncomplete,
        is_default=is_default,
        version=1,
        created_at=now,
        updated_at=now,
        counts=dict.fromkeys(PublicationStatus, 0),
    )


def _changed(transaction: Transaction, before: PublishJob, values: _Values) -> PublishJob:
    changed = replace(
        before,
        display_name=pick(values.display_name, before.display_name) or DEFAULT_NAME,
        contact_email=pick(values.contact_email, before.contact_email),
        oncomplete=pick(values.oncomplete, before.oncomplete),
    )
    if changed == before:
        return before
    after = replace(changed, version=before.version + 1, updated_at=transaction.now())
    publish_job_rows.save(transaction, after)
    return after


def queue_draft(transaction: Transaction, draft: Publication, task: Task) -> Publication:
    """Queue a draft of a locked task; gives it as it is now."""
    now = transaction.now()
    ready = record_rows.valid_of_task(transaction.connection, task.id) is not None
    queued = queue(draft, now, transaction.traceparent, ready=ready)
    publication_rows.save(transaction, draft, queued)
    if ready or task.status not in FAILED:
        return queued
    failed = follow(queued, now, ready=False)
    publication_rows.save(transaction, queued, failed)
    return failed


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> PublishJob:
    job = publish_job_rows.lock(transaction, who.tenant, id_)
    return at_version(found(job, COLLECTION, id_), version)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")
