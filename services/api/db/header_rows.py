"""Header fields for origins in the database, sealed.

They have a table of their own, so that whoever reads tasks never meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from services.api.db.tables import source_headers

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

_task_id = source_headers.c.task_id


def find(connection: Connection, task_id: UUID) -> bytes | None:
    """What is sealed for a task."""
    query = select(source_headers.c.sealed).where(_task_id == task_id)
    sealed: bytes | None = connection.execute(query).scalar_one_or_none()
    return sealed


def put(transaction: Transaction, task: Task, sealed: bytes) -> None:
    """Keep this in the place of what was there."""
    new = transaction.insert(source_headers).values(
        task_id=task.id, tenant=task.tenant, sealed=sealed
    )
    transaction.connection.execute(
        new.on_conflict_do_update(index_elements=["task_id"], set_={"sealed": new.excluded.sealed})
    )


def remove(transaction: Transaction, task_id: UUID) -> None:
    """Forget what a task has."""
    transaction.connection.execute(delete(source_headers).where(_task_id == task_id))
