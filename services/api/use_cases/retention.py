"""What is kept for a while only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.db import change_rows, idempotency_rows, report_rows

if TYPE_CHECKING:
    from services.api.db.executor import Executor, Transaction

TOMBSTONES = timedelta(days=7)
MAX_REPORTS = 1000
"""How many reports are removed at a time; the next round takes the rest."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what has been kept long enough."""

    executor: Executor

    async def prune(self) -> int:
        """Remove old idempotency keys and tombstones, and needless reports; gives how many."""
        # Looked for beforehand, not to hold up who writes; what is needless never is needed again.
        reports = await self.executor.read(lambda c: report_rows.unneeded(c, MAX_REPORTS))

        def unit(transaction: Transaction) -> int:
            now = transaction.now()
            keys = idempotency_rows.forget(transaction, now - idempotency_rows.KEPT_FOR)
            report_rows.forget(transaction, reports)
            return len(reports) + keys + change_rows.forget(transaction, now - TOMBSTONES)

        return await self.executor.write(unit)
