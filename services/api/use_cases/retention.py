"""What is kept for a while only."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.db import (
    audit_rows,
    change_rows,
    clock,
    delivery_rows,
    idempotency_rows,
    job_rows,
    record_rows,
    report_rows,
    task_rows,
)
from services.api.domain.jobs import KEPT as JOBS_KEPT
from services.api.domain.lifecycle import FAILED
from services.api.domain.principal import Principal
from services.api.domain.upload_sessions import KEPT
from services.api.use_cases import dead_letters, masters, upload_sessions, uploads

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.task_rows import TaskRows
    from services.api.db.transactions import Transaction
    from services.api.domain.keeping import Keep

    Forget = Callable[[Transaction, datetime, int], int]

BATCH = 1000
"""How many rows are removed at a time: no transaction holds up who writes for long."""
TASKS = 100
"""How many tasks; each takes several statements."""
NAME = "retention"
"""As whom the audit log knows us."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what has been kept long enough."""

    executor: Executor
    rows: TaskRows
    keep: Keep

    async def prune(self) -> Counter[str]:
        """Remove all that is old, in batches; gives how many of each kind.

        Superseded bytes are not among them: the scrub deletes those.
        """
        aged: list[tuple[str, timedelta | None, Forget]] = [
            ("keys", self.keep.keys, idempotency_rows.forget),
            ("tombstones", self.keep.tombstones, change_rows.forget),
            ("audit", self.keep.audit, audit_rows.forget),
            ("dead_letters", self.keep.dead_letters, dead_letters.forget),
            ("deliveries", self.keep.deliveries, delivery_rows.forget),
            ("uploads", timedelta(0), uploads.forget),
            ("upload_sessions", KEPT, upload_sessions.forget),
            ("jobs", JOBS_KEPT, job_rows.forget),
        ]
        pruned = Counter(reports=await self._prune_reports(), tasks=await self._prune_tasks())
        for kind, age, forget in aged:
            if age is not None:
                pruned[kind] = await self._prune_aged(age, forget)
        return +pruned

    async def _prune_aged(self, age: timedelta, forget: Forget) -> int:
        def unit(transaction: Transaction) -> int:
            return forget(transaction, transaction.now() - age, BATCH)

        removed = 0
        while batch := await self.executor.write(unit):
            removed += batch
        return removed

    async def _prune_reports(self) -> int:
        """Remove needless reports, which never are needed again."""
        removed = 0
        # Looked for beforehand, not to hold up who writes.
        while found := await self.executor.read(lambda c: report_rows.unneeded(c, BATCH)):
            keys = found
            await self.executor.write(lambda t: report_rows.forget(t, keys))  # noqa: B023 - awaited here
            removed += len(keys)
        return removed

    async def _prune_tasks(self) -> int:
        age = self.keep.tasks
        if age is None:
            return 0

        def old(connection: Connection) -> list[UUID]:
            return task_rows.fetch_failed(connection, clock.now(connection) - age, TASKS)

        removed = 0
        while ids := await self.executor.read(old):
            units = [self._removing(id_, age) for id_ in ids]
            gone = sum(await asyncio.gather(*map(self.executor.write, units)))
            removed += gone
            if not gone:  # somebody changes them faster than we look
                break
        return removed

    def _removing(self, id_: UUID, age: timedelta) -> Callable[[Transaction], bool]:
        """A unit that removes one task, if it still may go once nobody else can change it."""

        def unit(transaction: Transaction) -> bool:
            task, now = task_rows.lock(transaction, id_), transaction.now()
            if task is None or task.status not in FAILED or task.updated_at > now - age:
                return False
            if record_rows.valid_of_task(transaction.connection, id_) is not None:
                return False
            masters.remove(transaction, self.rows, task, now)
            us = Principal(tenant=task.tenant, token_id=NAME, scopes=frozenset())
            audit_rows.write(transaction, us, "importTasks.delete", f"importTasks/{id_}")
            return True

        return unit
