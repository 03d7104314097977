"""Events on their way out: written with what they tell, sent at least once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from services.api.db.tables import outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """An event to send; its id is stable however often it is sent."""

    id: UUID
    subject: str
    type: str
    payload: bytes
    time: datetime


@dataclass(frozen=True, slots=True)
class Outbox:
    """Hands out events and strikes those that were sent.

    ``taken_for`` is how long a relay that is silent keeps what it took.
    """

    executor: Executor
    taken_for: timedelta

    async def take(self, limit: int) -> tuple[OutboxEvent, ...]:
        """Some events, oldest first; nobody else is given them for a while."""

        def unit(transaction: Transaction) -> tuple[OutboxEvent, ...]:
            now = transaction.now()
            free = or_(outbox.c.taken_until.is_(None), outbox.c.taken_until < now)
            columns = (
                outbox.c.id,
                outbox.c.subject,
                outbox.c.type,
                outbox.c.payload,
                outbox.c.time,
            )
            rows = transaction.unguarded.execute(
                select(*columns)
                .where(free)
                .order_by(outbox.c.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            events = tuple(OutboxEvent(**row._mapping) for row in rows)  # noqa: SLF001 - public
            ids = [event.id for event in events]
            transaction.unguarded.execute(
                update(outbox).where(outbox.c.id.in_(ids)).values(taken_until=now + self.taken_for)
            )
            return events

        return await self.executor.write(unit)

    async def sent(self, ids: Sequence[UUID]) -> None:
        """Strike events that the broker has."""

        def unit(transaction: Transaction) -> None:
            transaction.unguarded.execute(delete(outbox).where(outbox.c.id.in_(ids)))

        await self.executor.write(unit)
