"""Validation reports in the database, as gzip'd JSON: one at most for each generation of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, literal_column, select, tuple_, update

from services.api.db.aging import among
from services.api.db.tables import import_tasks, records, validation_reports

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

Key = tuple["UUID", int]
"""A task and its generation."""

_columns = validation_reports.c
_key = tuple_(_columns.task_id, _columns.generation)


def insert(transaction: Transaction, task: Task, body: bytes, now: datetime) -> None:
    """Keep the report of a task's present generation."""
    row = {"task_id": task.id, "generation": task.generation, "tenant": task.tenant}
    transaction.add(validation_reports, row | {"body": body, "created_at": now})


def find(connection: Connection, tenant: str, key: Key) -> bytes | None:
    """A tenant's report."""
    query = select(_columns.body).where(_columns.tenant == tenant, _key == key)
    body: bytes | None = connection.execute(query).scalar_one_or_none()
    return body


def delete_of_task(transaction: Transaction, task_id: UUID) -> None:
    """Remove every report of a task."""
    transaction.connection.execute(delete(validation_reports).where(_columns.task_id == task_id))


def unneeded(connection: Connection, limit: int) -> list[Key]:
    """Some reports that neither a task's present generation nor a valid record needs.

    Looked for from the tasks that were started again, which have their index: few of many.
    """
    valid = select(records.c.id).where(
        records.c.task_id == _columns.task_id,
        records.c.report_generation == _columns.generation,
        records.c.superseded_at.is_(None),
    )
    query = select(_columns.task_id, _columns.generation).where(
        # No parameter, or SQLite cannot tell that the index has them all.
        import_tasks.c.generation > literal_column("1"),
        _columns.task_id == import_tasks.c.id,
        _columns.generation < import_tasks.c.generation,
        ~valid.exists(),
    )
    return [(row.task_id, row.generation) for row in connection.execute(query.limit(limit))]


def forget(transaction: Transaction, keys: Sequence[Key]) -> None:
    """Remove reports, also from what superseded records name."""
    of_records = among((records.c.task_id, records.c.report_generation), keys)
    transaction.connection.execute(
        update(records).where(*of_records).values(report_generation=None)
    )
    these = among((_columns.task_id, _columns.generation), keys)
    transaction.connection.execute(delete(validation_reports).where(*these))
