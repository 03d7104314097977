"""Which tasks and publications are due, and what it means to have sent their commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, true, update

from services.api.db import clock
from services.api.db.tables import import_tasks, publications
from services.api.domain.lifecycle import PublicationStatus, Stage, Status, due_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Table, Update

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.silence import Silence

MAX_BACKOFF = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A stage of a task or a publication that is due.

    ``version`` and ``due_at`` say what was seen of its row.
    """

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
        """The stages that are due, longest waiting first, so many of each kind at most."""

        def query(connection: Connection) -> tuple[Due, ...]:
            now, trusts = clock.now(connection), self.silence.is_proof()
            return tuple(
                each
                for table, kind in _KINDS
                for each in _due(connection, table, kind, now, limit, trust_silence=trusts)
            )

        return await self.executor.read(query)

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


def _due(
    connection: Connection,
    table: Table,
    kind: type[Status | PublicationStatus],
    now: datetime,
    limit: int,
    *,
    trust_silence: bool,
) -> Iterator[Due]:
    claims_count = true() if trust_silence else table.c.run_id.is_(None)
    names = ("id", "status", "generation", "version", "due_at", "published", "traceparent")
    rows = connection.execute(
        select(*(table.c[name] for name in names))
        .where(table.c.due_at <= now, claims_count)
        .order_by(table.c.due_at)
        .limit(limit)
    )
    for row in rows:
        if stage := due_stage(kind(row.status)):
            yield Due(
                task_id=row.id,
                stage=stage,
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
