"""Publish jobs in the database; the counts of their publications are kept in their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, delete, select, update
from uuid_utils.compat import uuid7

from services.api.db import delivery_rows, lists
from services.api.db.publishing_tables import COUNTS
from services.api.db.tables import publish_jobs
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.publishing import COMPLETED, MAX_QUEUED, QUIET, PublishJob, told
from services.api.domain.subscriptions import Event, event_body

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Row, Select

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import PublishJobQuery

COLLECTION = "publishJobs"
_columns = publish_jobs.c
_PLAIN = (
    *("id", "tenant", "number", "display_name", "contact_email", "oncomplete"),
    *("is_default", "version", "created_at", "updated_at", "run_at"),
)


def job_values(job: PublishJob) -> dict[str, Any]:
    """The columns of a job's row."""
    counts = {COUNTS[status]: job.counts.get(status, 0) for status in PublicationStatus}
    return {name: getattr(job, name) for name in _PLAIN} | counts


def job_from(columns: Mapping[Any, Any]) -> PublishJob:
    """The job of the values of its columns."""
    counts = {status: columns[name] for status, name in COUNTS.items()}
    plain = {name: columns[name] for name in _PLAIN}
    return PublishJob(**plain | {"is_default": bool(plain["is_default"])}, counts=counts)


def insert(transaction: Transaction, job: PublishJob) -> bool:
    """Add a job; False for a default job where there is one by now."""
    new = transaction.insert(publish_jobs).values(**job_values(job)).on_conflict_do_nothing()
    if transaction.connection.execute(new).rowcount == 0:
        return False
    transaction.count(job.tenant, COLLECTION, "", 1)
    return True


def save(transaction: Transaction, job: PublishJob) -> None:
    """Write what clients may change of a job."""
    changed = {
        name: getattr(job, name)
        for name in (
            *("display_name", "contact_email", "oncomplete"),
            *("version", "updated_at", "run_at"),
        )
    }
    transaction.connection.execute(
        update(publish_jobs).where(_columns.id == job.id).values(**changed)
    )


def run_when_quiet(transaction: Transaction, job_id: UUID) -> None:
    """Let a job be run by itself when nothing has come for a while, or as many as it can queue."""
    now = transaction.now()
    is_full = _columns[COUNTS[PublicationStatus.DRAFT]] >= MAX_QUEUED
    run_at = case((is_full, now), else_=now + QUIET)
    transaction.connection.execute(
        update(publish_jobs).where(_columns.id == job_id).values(run_at=run_at)
    )


def fetch_due(connection: Connection, now: datetime, limit: int) -> list[tuple[str, UUID]]:
    """The tenants and ids of some jobs to be run now, longest waiting first."""
    query = select(_columns.tenant, _columns.id).where(_columns.run_at <= now)
    rows = connection.execute(query.order_by(_columns.run_at).limit(limit))
    return [(tenant, id_) for tenant, id_ in rows]


def remove(transaction: Transaction, job: PublishJob) -> None:
    """Remove a job's row."""
    transaction.connection.execute(delete(publish_jobs).where(_columns.id == job.id))
    transaction.count(job.tenant, COLLECTION, "", -1)


def move(
    transaction: Transaction,
    job_id: UUID,
    before: PublicationStatus | None,
    after: PublicationStatus | None,
) -> None:
    """Count a publication that went from one status to another, None for new and gone.

    Whoever ends the last one that was under way writes the event, too: this locks the job.
    """
    if before is after:
        return
    counts = {COUNTS[each]: _columns[COUNTS[each]] - 1 for each in (before,) if each}
    counts |= {COUNTS[each]: _columns[COUNTS[each]] + 1 for each in (after,) if each}
    changed = update(publish_jobs).where(_columns.id == job_id).values(**counts)
    job = _to_job(transaction.connection.execute(changed.returning(publish_jobs)).one())
    was_running = before in {PublicationStatus.QUEUED, PublicationStatus.PUBLISHING}
    if was_running and not job.is_running:
        _tell(transaction, job)


def _tell(transaction: Transaction, job: PublishJob) -> None:
    targets = [(None, target) for target in job.targets]
    if targets:
        body = event_body(COMPLETED, transaction.now(), told(job))
        event = Event(id=uuid7(), type=COMPLETED, body=body)
        delivery_rows.add(transaction, job.tenant, event, targets)


def find(connection: Connection, tenant: str, id_: UUID) -> PublishJob | None:
    """A tenant's job."""
    return lists.fetch_one(connection, _one(tenant, id_), _to_job)


def find_default(connection: Connection, tenant: str) -> PublishJob | None:
    """A tenant's default job."""
    query = select(publish_jobs).where(_columns.tenant == tenant, _columns.is_default)
    return lists.fetch_one(connection, query, _to_job)


def lock(transaction: Transaction, tenant: str, id_: UUID) -> PublishJob | None:
    """A tenant's job that nobody else can change until the commit."""
    return lists.fetch_one(transaction.connection, _one(tenant, id_).with_for_update(), _to_job)


def fetch_page(connection: Connection, tenant: str, query: PublishJobQuery) -> Page[PublishJob]:
    """A page of a tenant's jobs, oldest first unless ordered otherwise."""
    narrow = [
        *lists.one_of(_columns.id, query.ids),
        *lists.one_of(_columns.number, query.numbers),
    ]
    conditions = [lists.equal(_columns.tenant, tenant), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, publish_jobs, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(
        connection, publish_jobs, conditions, query, to_item=_to_job, total=total
    )


def _one(tenant: str, id_: UUID) -> Select[Any]:
    return select(publish_jobs).where(_columns.id == id_, _columns.tenant == tenant)


def _to_job(row: Row[Any]) -> PublishJob:
    return job_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
