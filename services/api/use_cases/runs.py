"""What workers ask and tell: claims, progress, reports. Decided on the locked row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import SystemRandom
from typing import TYPE_CHECKING

from services.api.db import report_rows, settings_rows, task_rows, track_rows
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.runs import (
    Accepted,
    Decision,
    Go,
    Limits,
    Outcome,
    Refused,
    Rules,
    Run,
    Stop,
    Stored,
)
from services.api.use_cases import masters

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.executor import Executor, Transaction
    from services.api.db.task_rows import TaskRows
    from services.api.domain.task import Task

_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Runs:
    """The API's half of every run."""

    executor: Executor
    rows: TaskRows
    rules: Rules

    @classmethod
    def start(cls, executor: Executor, rows: TaskRows, limits: Limits) -> Runs:
        """Begin to decide; silence from before this moment proves nothing."""
        trust_from = datetime.now(UTC) + limits.lease
        return cls(executor, rows, Rules(limits=limits, trust_silence_from=trust_from))

    @property
    def limits(self) -> Limits:
        """How long claims hold and how often stages are tried."""
        return self.rules.limits

    async def claim(self, task_id: UUID, run: Run) -> Decision:
        """Decide whether a run may start; the same run gets the same answer."""

        def unit(transaction: Transaction) -> Decision:
            task = task_rows.lock(transaction, task_id)
            if task is None:
                return Stop("gone")
            now = transaction.now()
            after, decision = self.rules.claim(task, run, now)
            self._save(transaction, task, after, now)
            if isinstance(decision, Go) and run.stage is Stage.VALIDATE:
                return _informed(transaction, decision)
            return decision

        return await self.executor.write(unit)

    async def progress(
        self, task_id: UUID, run: Run, done_bytes: int, total_bytes: int | None
    ) -> bool:
        """Renew the run's claim; False when it has none: the run must stop."""

        def unit(transaction: Transaction) -> bool:
            task = task_rows.lock(transaction, task_id)
            if task is None:
                return False
            after = self.rules.progress(task, run, done_bytes, total_bytes, transaction.now())
            if after is None:
                return False
            self.rows.save(transaction, task, after)
            return True

        return await self.executor.write(unit)

    async def report(self, task_id: UUID, run: Run, outcome: Outcome) -> bool:
        """Apply how a run ended; False when it was stale and changed nothing."""

        def unit(transaction: Transaction) -> bool:
            task = task_rows.lock(transaction, task_id)
            now = transaction.now()
            after = task and self.rules.report(task, run, outcome, now, _random.random())
            if task is None or after is None:
                if isinstance(outcome, Stored):  # nobody will ever read what the stale run stored
                    masters.doom(transaction, {outcome.master.blob_key}, now)
                return False
            if after.status is Status.COMPLETED:
                recorded = masters.replace_record(transaction, after, now)
                after = recorded or self.rules.lose_isrc(after)
            self._save(transaction, task, after, now)
            if after.has_report and isinstance(outcome, (Accepted, Refused)):
                report_rows.insert(transaction, after, outcome.report, now)
            return True

        return await self.executor.write(unit)

    async def give_up(self, task_id: UUID, run: Run) -> None:
        """Fail the task of a run whose report cannot be understood or applied."""

        def unit(transaction: Transaction) -> None:
            task = task_rows.lock(transaction, task_id)
            if task is not None and self.rules.holds(task, run):
                now = transaction.now()
                self._save(transaction, task, self.rules.give_up(task, now), now)

        await self.executor.write(unit)

    def _save(self, transaction: Transaction, before: Task, after: Task, now: datetime) -> None:
        self.rows.save(transaction, before, after)
        masters.doom_left(transaction, before, after, now)


def _informed(transaction: Transaction, go: Go) -> Go:
    """With what the tenant has chosen and the target's track knows."""
    task, connection = go.task, transaction.connection
    settings = settings_rows.find(connection, task.tenant)
    track = None
    if task.target is not None and task.target.type == track_rows.COLLECTION:
        track = track_rows.find(connection, task.tenant, task.target.id)
    return replace(
        go,
        delivery_profile=task.delivery_profile or settings.delivery_profile,
        stereo_duration=track.stereo_duration if track else None,
    )
