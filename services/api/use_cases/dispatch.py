"""Which tasks and publications are due, and what it means to have sent their commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from services.api.db import due_rows
from services.api.db.tables import import_tasks, publications
from services.api.domain.lifecycle import Priority, PublicationStatus, Stage, Status, due_stage
from services.api.domain.turns import Due

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row, Table, Update

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.silence import Silence

MAX_BACKOFF = timedelta(minutes=1)
MAX_ROWS = 1024
"""That are read at once; where a look stops, the next one goes on."""


@dataclass(slots=True)
class Dispatch:
    """Finds rows that are due and moves them on.

    Until ``silence`` is proof, an ended lease does not mean a dead run.
    """

    executor: Executor
    silence: Silence
    base: timedelta
    _after: dict[Table, due_rows.Line] = field(default_factory=dict, init=False)

    async def due(self, each: int) -> tuple[Due, ...]:
        """The stages that are due, longest waiting first.

        There are up to ``each`` of every status, priority and tenant. Raises Unavailable.
        """

        def query(connection: Connection) -> list[Due]:
            return [
                _due(row, stage)
                for table, kind in _KINDS
                for row in self._look(connection, table, each)
                if (stage := due_stage(kind(row.status)))
            ]

        found = await self.executor.read(query)
        return tuple(sorted(found, key=lambda due: due.due_at))

    def _look(self, connection: Connection, table: Table, each: int) -> Sequence[Row[Any]]:
        after = self._after.pop(table, due_rows.START)
        rows = due_rows.fetch(
            connection,
            table,
            each=each,
            limit=MAX_ROWS,
            after=after,
            trust_silence=self.silence.is_proof(),
        )
        if len(rows) == MAX_ROWS:
            self._after[table] = due_rows.line_of(rows[-1])
        return rows

    async def published(self, batch: Sequence[Due]) -> None:
        """Move on the rows whose commands were sent, unless they have changed meanwhile.

        The only unit that changes many of them; it skips rows that somebody else is changing.
        """

        def unit(transaction: Transaction) -> None:
            now = transaction.now()
            for table, _ in _KINDS:
                of_table = [due for due in batch if _table_of(due.stage) is table]
                if of_table:
                    self._move_on(transaction, table, of_table, now)

        await self.executor.write(unit)

    def _move_on(
        self, transaction: Transaction, table: Table, batch: Sequence[Due], now: datetime
    ) -> None:
        free = set(
            transaction.unguarded.scalars(
                select(table.c.id)
                .where(table.c.id.in_([due.task_id for due in batch]))
                .order_by(table.c.id)
                .with_for_update(skip_locked=True)
            )
        )
        changes = [
            {
                "row_id": due.task_id,
                "seen_version": due.version,
                "seen_due_at": due.due_at,
                "due_again": now + self._wait(due.published),
            }
            for due in batch
            if due.task_id in free
        ]
        if changes:
            transaction.unguarded.execute(_moving_on(table), changes)

    def _wait(self, published: int) -> timedelta:
        return min(self.base * (2 << min(published, 10)), MAX_BACKOFF)


_KINDS: tuple[tuple[Table, type[Status | PublicationStatus]], ...] = (
    (import_tasks, Status),
    (publications, PublicationStatus),
)


def _table_of(stage: Stage) -> Table:
    return publications if stage is Stage.PUBLISH else import_tasks


def _due(row: Row[Any], stage: Stage) -> Due:
    return Due(
        task_id=row.id,
        tenant=row.tenant,
        stage=stage,
        priority=Priority(row.priority),
        generation=row.generation,
        version=row.version,
        due_at=row.due_at,
        published=row.published,
        traceparent=row.traceparent,
    )


def _moving_on(table: Table) -> Update:
    return (
        update(table)
        .where(
            table.c.id == bindparam("row_id"),
            table.c.version == bindparam("seen_version"),
            table.c.due_at == bindparam("seen_due_at"),
        )
        .values(due_at=bindparam("due_again"), published=table.c.published + 1)
    )
