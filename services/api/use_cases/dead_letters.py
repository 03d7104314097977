"""Messages that nobody could make sense of, kept for people to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from uuid_utils.compat import uuid7

from services.api.db import aging
from services.api.db.tables import dead_letters

if TYPE_CHECKING:
    from datetime import datetime

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction

MAX_PAYLOAD_BYTES = 64 * 1024
MAX_KEPT = 1000


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The place for them."""

    executor: Executor

    async def add(self, subject: str, payload: bytes, reason: str) -> None:
        """Keep a message, at most its first 64 KiB; the oldest beyond MAX_KEPT go."""

        def unit(transaction: Transaction) -> None:
            transaction.connection.execute(
                dead_letters.insert().values(
                    id=uuid7(),
                    subject=subject[:255],
                    payload=payload[:MAX_PAYLOAD_BYTES],
                    reason=reason[:500],
                    created_at=transaction.now(),
                )
            )
            transaction.connection.execute(_FORGET_OLDEST)

        await self.executor.write(unit)


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some messages of before a moment, oldest first; gives how many."""
    old = dead_letters.c.created_at < before
    return len(aging.forget(transaction, dead_letters, dead_letters.c.created_at, limit, old))


_ids = dead_letters.c.id
_FORGET_OLDEST = delete(dead_letters).where(
    _ids <= select(_ids).order_by(_ids.desc()).offset(MAX_KEPT).limit(1).scalar_subquery()
)
