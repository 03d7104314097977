"""Runs on tasks: what a download and a validation are given, and what becomes of what they tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import SystemRandom
from typing import TYPE_CHECKING, Final

from services.api.db import (
    header_rows,
    publication_rows,
    record_rows,
    report_rows,
    settings_rows,
    task_rows,
)
from services.api.db.lookups import Of
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
from services.api.use_cases import masters, uploads

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.db.lookups import Ask
    from services.api.db.task_rows import TaskRows
    from services.api.db.transactions import Transaction
    from services.api.domain.keeping import Age
    from services.api.domain.silence import Silence
    from services.api.domain.task import Task
    from services.api.use_cases.downloads import Downloads

TENANT_BUSY: Final = "tenant_busy"
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class TaskRuns:
    """Tasks, as far as runs go."""

    rows: TaskRows
    downloads: Downloads
    keep_superseded: Age

    @staticmethod
    def rules(limits: Limits, trust_silence_from: datetime) -> Rules:
        """The rules of a task's stages."""
        return Rules(limits=limits, trust_silence_from=trust_silence_from)

    @staticmethod
    def locking(id_: UUID) -> list[Ask]:
        """What to look up to decide on a task at all."""
        return [(task_rows.LOCKED, id_)]

    @staticmethod
    def claiming(stage: Stage, id_: UUID) -> list[Ask]:
        """What to look up to start a run."""
        needed = header_rows.SEALED if stage is Stage.DOWNLOAD else task_rows.DURATIONS
        return [(task_rows.LOCKED, id_), (needed, id_)]

    @staticmethod
    def reporting(stage: Stage, id_: UUID) -> list[Ask]:
        """What to look up to end a run."""
        if stage is Stage.DOWNLOAD:
            return [(task_rows.LOCKED, id_)]
        needed = (task_rows.LOCKED, header_rows.SEALED, record_rows.VALID, publication_rows.QUEUED)
        rival = record_rows.ISRC_HOLDERS, Of(task_rows.LOCKED, id_, _isrc_of)
        return [*((lookup, id_) for lookup in needed), rival]

    @staticmethod
    def lock(transaction: Transaction, id_: UUID) -> Task | None:
        """A task whose row nobody else can change until the commit."""
        return transaction.find(task_rows.LOCKED, id_)

    def save(self, transaction: Transaction, before: Task, after: Task, now: datetime) -> None:
        """Write what has changed, and what follows for its bytes and who waits for them."""
        self.rows.save(transaction, before, after)
        masters.settle(transaction, before, after, now)

    def start(
        self, transaction: Transaction, before: Task, after: Task, silence: Silence, now: datetime
    ) -> Decision:
        """Let a run go, unless its tenant runs enough, with all that it needs."""
        downloads = after.stage is Stage.DOWNLOAD
        if downloads and after is not before:
            trusts = silence.is_proof()
            busy = self.downloads.busy(transaction, before, now, trust_silence=trusts)
            if busy is not None:  # in the row: a command that waits would keep others out
                self.rows.save(transaction, before, Rules.wait(before, now + busy))
                return Stop(TENANT_BUSY)
        self.save(transaction, before, after, now)
        if downloads:
            return self._equipped(transaction, Go(after), now)
        return _informed(transaction, Go(after))

    def _equipped(self, transaction: Transaction, go: Go, now: datetime) -> Decision:
        """With what a download needs; without that the task fails, as it would with any run."""
        equipped = self.downloads.equip(transaction, go)
        if isinstance(equipped, Go):
            return equipped
        self.save(transaction, go.task, Rules.fail(go.task, equipped, now), now)
        return Stop(equipped["code"])

    def end(
        self,
        transaction: Transaction,
        before: Task | None,
        run: Run,
        outcome: Outcome,
        rules: Rules,
    ) -> bool:
        """Apply how a run ended; False when it was stale and changed nothing."""
        now = transaction.now()
        allowed = self._allowed(transaction, before, outcome)
        after = before and rules.report(before, run, allowed, now, _random.random())
        if isinstance(outcome, Stored) and (after is None or allowed is not outcome):
            # Nobody will ever read what a stale run stored, or one that stored too much.
            masters.doom(transaction, {outcome.master.blob_key}, now)
        converted = outcome.converted if isinstance(outcome, Accepted) else None
        if after is not None and after.status is Status.COMPLETED:
            keep = self.keep_superseded
            recorded = masters.replace_record(transaction, after, now, keep, converted)
            after = recorded or rules.lose_isrc(after)
        if converted and (after is None or after.status is not Status.COMPLETED):
            masters.doom(transaction, {converted.blob_key}, now)
        if before is None or after is None:
            return False
        if after.status is Status.COMPLETED:  # there is nothing left to fetch
            header_rows.remove(transaction, before.id)
            if after.source_upload_id is not None:
                uploads.release(transaction, after.source_upload_id)
        self.save(transaction, before, after, now)
        if after.has_report and isinstance(outcome, (Accepted, Refused)):
            report_rows.insert(transaction, after, outcome.report, now)
        return True

    def _allowed(self, transaction: Transaction, task: Task | None, outcome: Outcome) -> Outcome:
        """The outcome, or its refusal where it would store more than the tenant may."""
        if task is None or not isinstance(outcome, Stored):
            return outcome
        problem = self.downloads.too_much(transaction, task.tenant, outcome.master.size_bytes)
        return outcome if problem is None else Refused(problems=(problem,))


def _isrc_of(task: Task) -> tuple[str, str] | None:
    return None if task.isrc is None else (task.tenant, task.isrc)


def _informed(transaction: Transaction, go: Go) -> Go:
    """With what the tenant has chosen and the target's track knows."""
    task = go.task
    settings = transaction.remembered(
        (settings_rows.find, task.tenant),
        lambda: settings_rows.find(transaction.unguarded, task.tenant),
    )
    return replace(
        go,
        delivery_profile=task.delivery_profile or settings.delivery_profile,
        stereo_duration=transaction.find(task_rows.DURATIONS, task.id),
    )
