"""Header fields for origins in the database, sealed.

They have a table of their own, so that whoever reads tasks never meets them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from services.api.db.lookups import Lookup
from services.api.db.tables import source_headers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Task

_task_id = source_headers.c.task_id


_BY_TASKS = select(_task_id, source_headers.c.sealed).where(
    _task_id.in_(bindparam("task_ids", expanding=True))
)


def _fetch(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, bytes]:
    rows = connection.execute(_BY_TASKS, {"task_ids": wanted})
    return {row.task_id: row.sealed for row in rows}


SEALED = Lookup(_fetch)
"""What is sealed for a task."""


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
    if transaction.find(SEALED, task_id) is None:
        return
    transaction.connection.execute(delete(source_headers).where(_task_id == task_id))
