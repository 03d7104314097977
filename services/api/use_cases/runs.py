"""What workers ask and tell: claims, progress, reports. Decided on the locked row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Decision, Limits, Outcome, Run, RunRules, Stop
from services.api.domain.silence import Silence
from services.api.domain.work import Work
from services.api.use_cases.publication_runs import PublicationRuns
from services.api.use_cases.task_runs import TENANT_BUSY, TaskRuns

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.lookups import Ask
    from services.api.db.task_rows import TaskRows
    from services.api.db.transactions import Transaction
    from services.api.domain.keeping import Age
    from services.api.use_cases.downloads import Downloads

__all__ = ["TENANT_BUSY", "Runs"]

W = TypeVar("W", bound=Work)


class WorkRuns(Protocol[W]):
    """One kind of what runs work on, in transactions of ``Runs``."""

    def rules(self, limits: Limits, trust_silence_from: datetime) -> RunRules[W]:
        """The rules of its stages."""

    def locking(self, id_: UUID, /) -> list[Ask]:
        """What to look up to decide on it at all."""

    def claiming(self, stage: Stage, id_: UUID, /) -> list[Ask]:
        """What to look up to start a run."""

    def reporting(self, stage: Stage, id_: UUID, /) -> list[Ask]:
        """What to look up to end a run."""

    def lock(self, transaction: Transaction, id_: UUID) -> W | None:
        """The one whose row nobody else can change until the commit."""

    def save(self, transaction: Transaction, before: W, after: W, now: datetime) -> None:
        """Write what has changed, and what follows from that."""

    def start(
        self, transaction: Transaction, before: W, after: W, silence: Silence, now: datetime
    ) -> Decision:
        """Let a run go that may, with all that it needs; write what has changed."""

    def end(
        self, transaction: Transaction, before: W | None, run: Run, outcome: Outcome, rules: Any
    ) -> bool:
        """Apply how a run ended; False when it was stale and changed nothing."""


@dataclass(frozen=True, slots=True)
class Runs:
    """The API's half of every run."""

    executor: Executor
    limits: Limits
    silence: Silence
    tasks: TaskRuns
    publications: PublicationRuns

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
        tasks = TaskRuns(rows, downloads, keep_superseded)
        return cls(executor, limits, silence, tasks, PublicationRuns(downloads))

    async def claim(self, id_: UUID, run: Run) -> Decision:
        """Decide whether a run may start; the same run gets the same answer."""
        runs = self._runs_of(run.stage)

        def unit(transaction: Transaction) -> Decision:
            work = runs.lock(transaction, id_)
            if work is None:
                return Stop("gone")
            now = transaction.now()
            after, refusal = self._rules(runs, now).decide(work, run, now)
            if refusal is None:
                return runs.start(transaction, work, after, self.silence, now)
            runs.save(transaction, work, after, now)
            return refusal

        return await self.executor.write(unit, runs.claiming(run.stage, id_))

    async def progress(self, id_: UUID, run: Run, done_bytes: int, total_bytes: int | None) -> bool:
        """Renew the run's claim; False when it has none: the run must stop."""
        runs = self._runs_of(run.stage)

        def unit(transaction: Transaction) -> bool:
            work = runs.lock(transaction, id_)
            if work is None:
                return False
            now = transaction.now()
            after = self._rules(runs, now).progress(work, run, done_bytes, total_bytes, now)
            if after is None:
                return False
            runs.save(transaction, work, after, now)
            return True

        return await self.executor.write(unit, runs.locking(id_))

    async def report(self, id_: UUID, run: Run, outcome: Outcome) -> bool:
        """Apply how a run ended; False when it was stale and changed nothing."""
        runs = self._runs_of(run.stage)

        def unit(transaction: Transaction) -> bool:
            work = runs.lock(transaction, id_)
            rules = self._rules(runs, transaction.now())
            return runs.end(transaction, work, run, outcome, rules)

        return await self.executor.write(unit, runs.reporting(run.stage, id_))

    async def give_up(self, id_: UUID, run: Run) -> None:
        """Fail what a run worked on whose report cannot be understood or applied."""
        runs = self._runs_of(run.stage)

        def unit(transaction: Transaction) -> None:
            work = runs.lock(transaction, id_)
            now = transaction.now()
            rules = self._rules(runs, now)
            if work is not None and rules.holds(work, run):
                runs.save(transaction, work, rules.give_up(work, now), now)

        await self.executor.write(unit, runs.locking(id_))

    def _runs_of(self, stage: Stage) -> WorkRuns[Any]:
        return self.publications if stage is Stage.PUBLISH else self.tasks

    def _rules(self, runs: WorkRuns[Any], now: datetime) -> RunRules[Any]:
        return runs.rules(self.limits, self.silence.is_proof_from(now))
