"""What workers ask and tell: claims, progress, reports. Decided on the locked row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from services.api.db import header_rows, report_rows, settings_rows, task_rows, track_rows
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
from services.api.domain.silence import Silence
from services.api.use_cases import masters

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.db.executor import Executor, Transaction
    from services.api.db.task_rows import TaskRows
    from services.api.domain.keeping import Age
    from services.api.domain.task import Task
    from services.api.use_cases.downloads import Downloads

TENANT_BUSY: Final = "tenant_busy"
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Runs:
    """The API's half of every run."""

    executor: Executor
    rows: TaskRows
    limits: Limits
    silence: Silence
    downloads: Downloads
    keep_superseded: Age

    @classmethod
    def start(
        cls,
        executor: Executor,
        rows: TaskRows,
        limits: Limits,
        downloads: Downloads,
        keep_superseded: Age,
    ) -> Runs:
        """Begin to decide; silence from before this moment proves nothing."""
        silence = Silence.proves_after(limits.lease)
        return cls(executor, rows, limits, silence, downloads, keep_superseded)

    def _rules(self, now: datetime) -> Rules:
        return Rules(limits=self.limits, trust_silence_from=self.silence.is_proof_from(now))

    async def claim(self, task_id: UUID, run: Run) -> Decision:
        """Decide whether a run may start; the same run gets the same answer."""

        def unit(transaction: Transaction) -> Decision:
            task = task_rows.lock(transaction, task_id)
            if task is None:
                return Stop("gone")
            now = transaction.now()
            after, decision = self._rules(now).claim(task, run, now)
            if isinstance(decision, Go) and run.stage is Stage.DOWNLOAD and after is not task:
                trusts = self.silence.is_proof()
                busy = self.downloads.busy(transaction, task, now, trust_silence=trusts)
                if busy is not None:  # in the row: a command that waits would keep others out
                    self.rows.save(transaction, task, Rules.wait(task, now + busy))
                    return Stop(TENANT_BUSY)
            self._save(transaction, task, after, now)
            if not isinstance(decision, Go):
                return decision
            if run.stage is Stage.DOWNLOAD:
                return self._equipped(transaction, decision, now)
            return _informed(transaction, decision)

        return await self.executor.write(unit)

    def _equipped(self, transaction: Transaction, go: Go, now: datetime) -> Decision:
        """With what a download needs; without that the task fails, as it would with any run."""
        equipped = self.downloads.equip(transaction, go)
        if isinstance(equipped, Go):
            return equipped
        self._save(transaction, go.task, self._rules(now).fail(go.task, equipped, now), now)
        return Stop(equipped["code"])

    async def progress(
        self, task_id: UUID, run: Run, done_bytes: int, total_bytes: int | None
    ) -> bool:
        """Renew the run's claim; False when it has none: the run must stop."""

        def unit(transaction: Transaction) -> bool:
            task = task_rows.lock(transaction, task_id)
            if task is None:
                return False
            now = transaction.now()
            after = self._rules(now).progress(task, run, done_bytes, total_bytes, now)
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
            allowed = self._allowed(transaction, task, outcome)
            rules = self._rules(now)
            after = task and rules.report(task, run, allowed, now, _random.random())
            if isinstance(outcome, Stored) and (after is None or allowed is not outcome):
                # Nobody will ever read what a stale run stored, or one that stored too much.
                masters.doom(transaction, {outcome.master.blob_key}, now)
            if task is None or after is None:
                return False
            if after.status is Status.COMPLETED:
                recorded = masters.replace_record(transaction, after, now, self.keep_superseded)
                after = recorded or rules.lose_isrc(after)
            if after.status is Status.COMPLETED:  # there is nothing left to fetch
                header_rows.remove(transaction, task.id)
            self._save(transaction, task, after, now)
            if after.has_report and isinstance(outcome, (Accepted, Refused)):
                report_rows.insert(transaction, after, outcome.report, now)
            return True

        return await self.executor.write(unit)

    async def give_up(self, task_id: UUID, run: Run) -> None:
        """Fail the task of a run whose report cannot be understood or applied."""

        def unit(transaction: Transaction) -> None:
            task = task_rows.lock(transaction, task_id)
            now = transaction.now()
            rules = self._rules(now)
            if task is not None and rules.holds(task, run):
                self._save(transaction, task, rules.give_up(task, now), now)

        await self.executor.write(unit)

    def _allowed(self, transaction: Transaction, task: Task | None, outcome: Outcome) -> Outcome:
        """The outcome, or its refusal where it would store more than the tenant may."""
        if task is None or not isinstance(outcome, Stored):
            return outcome
        problem = self.downloads.too_much(transaction, task, outcome.master.size_bytes)
        return outcome if problem is None else Refused(problems=(problem,))

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
