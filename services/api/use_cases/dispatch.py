"""Which tasks are due, and what it means to have sent their commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, true, update

from services.api.db import clock
from services.api.db.tables import import_tasks as tasks
from services.api.domain.lifecycle import Stage, Status, due_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor, Transaction
    from services.api.domain.silence import Silence

MAX_BACKOFF = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A stage of a task that is due; ``version`` and ``due_at`` say what was seen of its row."""

    task_id: UUID
    stage: Stage
    generation: int
    version: int
    due_at: datetime
    published: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Finds rows that are due and moves them on.

    Until ``silence`` is proof, an ended lease does not mean a dead run.
    """

    executor: Executor
    silence: Silence
    base: timedelta

    async def due(self, limit: int) -> tuple[Due, ...]:
        """The stages that are due, longest waiting first."""

        def query(connection: Connection) -> tuple[Due, ...]:
            now = clock.now(connection)
            claims_count = true() if self.silence.is_proof() else tasks.c.run_id.is_(None)
            rows = connection.execute(
                select(
                    tasks.c.id,
                    tasks.c.status,
                    tasks.c.generation,
                    tasks.c.version,
                    tasks.c.due_at,
                    tasks.c.published,
                    tasks.c.traceparent,
                )
                .where(tasks.c.due_at <= now, claims_count)
                .order_by(tasks.c.due_at)
                .limit(limit)
            )
            return tuple(
                Due(
                    task_id=row.id,
                    stage=stage,
                    generation=row.generation,
                    version=row.version,
                    due_at=row.due_at,
                    published=row.published,
                    traceparent=row.traceparent,
                )
                for row in rows
                if (stage := due_stage(Status(row.status)))
            )

        return await self.executor.read(query)

    async def published(self, batch: Sequence[Due]) -> None:
        """Move on the rows whose commands were sent, unless they have changed meanwhile.

        The only unit that changes many tasks; it skips rows that somebody else is changing.
        """

        def unit(transaction: Transaction) -> None:
            now = transaction.now()
            free = set(
                transaction.connection.scalars(
                    select(tasks.c.id)
                    .where(tasks.c.id.in_([due.task_id for due in batch]))
                    .order_by(tasks.c.id)
                    .with_for_update(skip_locked=True)
                )
            )
            changes = [
                {
                    "task_id": due.task_id,
                    "seen_version": due.version,
                    "seen_due_at": due.due_at,
                    "due_again": now + self._wait(due.published),
                }
                for due in batch
                if due.task_id in free
            ]
            if changes:
                transaction.connection.execute(_MOVE_ON, changes)

        await self.executor.write(unit)

    def _wait(self, published: int) -> timedelta:
        return min(self.base * (2 << min(published, 10)), MAX_BACKOFF)


_MOVE_ON = (
    update(tasks)
    .where(
        tasks.c.id == bindparam("task_id"),
        tasks.c.version == bindparam("seen_version"),
        tasks.c.due_at == bindparam("seen_due_at"),
    )
    .values(due_at=bindparam("due_again"), published=tasks.c.published + 1)
)
