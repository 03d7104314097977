"""What has changed among a tenant's tasks, in the order of the moments of change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, tuple_

from services.api.db import aging
from services.api.db.rows import to_task
from services.api.db.tables import import_tasks, tombstones

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

Moment = tuple["datetime", "UUID"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A task as it is now, or that it is gone."""

    moment: Moment
    version: int
    master_type: str
    task: Task | None


def fetch(connection: Connection, tenant: str, after: Moment, limit: int) -> list[Changed]:
    """Some changes after a moment, earliest first."""
    found = [*_tasks(connection, tenant, after, limit), *_gone(connection, tenant, after, limit)]
    return sorted(found, key=lambda changed: changed.moment)[:limit]


def _tasks(connection: Connection, tenant: str, after: Moment, limit: int) -> list[Changed]:
    when, id_ = import_tasks.c.updated_at, import_tasks.c.id
    rows = connection.execute(
        select(import_tasks)
        .where(import_tasks.c.tenant == tenant, when >= after[0], tuple_(when, id_) > after)
        .order_by(when, id_)
        .limit(limit)
    )
    tasks = map(to_task, rows)
    return [
        Changed((task.updated_at, task.id), task.version, task.master_type, task) for task in tasks
    ]


def _gone(connection: Connection, tenant: str, after: Moment, limit: int) -> list[Changed]:
    when, id_ = tombstones.c.deleted_at, tombstones.c.task_id
    rows = connection.execute(
        select(tombstones)
        .where(tombstones.c.tenant == tenant, when >= after[0], tuple_(when, id_) > after)
        .order_by(when, id_)
        .limit(limit)
    )
    return [
        Changed((row.deleted_at, row.task_id), row.version, row.master_type, None) for row in rows
    ]


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some tombstones of before a moment, oldest first; gives how many."""
    when = tombstones.c.deleted_at
    return len(aging.forget(transaction, tombstones, when, limit, when < before))
