"""What is kept for a while only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.db import change_rows, idempotency_rows

if TYPE_CHECKING:
    from services.api.db.executor import Executor, Transaction

TOMBSTONES = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what has been kept long enough."""

    executor: Executor

    async def prune(self) -> int:
        """Remove old idempotency keys and tombstones; gives how many."""

        def unit(transaction: Transaction) -> int:
            now = transaction.now()
            keys = idempotency_rows.forget(transaction, now - idempotency_rows.KEPT_FOR)
            return keys + change_rows.forget(transaction, now - TOMBSTONES)

        return await self.executor.write(unit)
