"""Jobs in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from services.api.db import aging, lists
from services.api.db.upload_tables import jobs
from services.api.domain.jobs import COLLECTION, Job
from services.api.domain.task import Target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import JobQuery

_columns = jobs.c
_PLAIN = (
    *("id", "tenant", "number", "action", "created_at", "task_id", "ended_at"),
    *("error", "result"),
)


def job_values(job: Job) -> dict[str, Any]:
    """The columns of a job's row."""
    resource = {"resource_type": job.resource.type, "resource_id": job.resource.id}
    return {name: getattr(job, name) for name in _PLAIN} | resource


def job_from(columns: Mapping[Any, Any]) -> Job:
    """The job of the values of its columns."""
    resource = Target(columns["resource_type"], columns["resource_id"])
    return Job(**{name: columns[name] for name in _PLAIN}, resource=resource)


def insert(transaction: Transaction, job: Job) -> None:
    """Add a job."""
    transaction.connection.execute(jobs.insert().values(**job_values(job)))
    transaction.count(job.tenant, COLLECTION, "", 1)


def save(transaction: Transaction, job: Job) -> None:
    """Write a job's values."""
    changed = update(jobs).where(_columns.id == job.id).values(**job_values(job))
    transaction.connection.execute(changed)


def lock_waiting(transaction: Transaction, task_id: UUID) -> list[Job]:
    """The jobs that wait for an import task; nobody else can end them before the commit."""
    query = select(jobs).where(_columns.task_id == task_id, _columns.ended_at.is_(None))
    rows = transaction.connection.execute(query.order_by(_columns.id).with_for_update())
    return [_to_job(row) for row in rows]


def find(connection: Connection, tenant: str, id_: UUID) -> Job | None:
    """A tenant's job."""
    query = select(jobs).where(_columns.id == id_, _columns.tenant == tenant)
    return lists.fetch_one(connection, query, _to_job)


def fetch_page(connection: Connection, tenant: str, query: JobQuery) -> Page[Job]:
    """A page of a tenant's jobs, oldest first unless ordered otherwise."""
    narrow = [
        *lists.one_of(_columns.id, query.ids),
        *lists.one_of(_columns.number, query.numbers),
    ]
    conditions = [lists.equal(_columns.tenant, tenant), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, jobs, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(connection, jobs, conditions, query, to_item=_to_job, total=total)


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some that had ended by a moment."""
    ended_at = _columns.ended_at
    tenants = aging.forget(transaction, jobs, ended_at, limit, ended_at <= before)
    for tenant in tenants:
        transaction.count(tenant, COLLECTION, "", -1)
    return len(tenants)


def _to_job(row: Row[Any]) -> Job:
    return job_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
