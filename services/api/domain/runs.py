"""What a claim, progress and a report do to a task: pure functions from a task to the next one.

Nothing here trusts order or number of messages: a message that does not name the run that holds
the claim, or its generation, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import STAGES, Stage, Status
from services.api.domain.outcomes import (
    Accepted,
    Decision,
    Failed,
    Go,
    Later,
    Outcome,
    Refused,
    Released,
    Run,
    Stop,
    Stored,
    error,
)
from services.api.domain.task import Claim, Finding, Progress, Task

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "Accepted",
    "Decision",
    "Failed",
    "Go",
    "Later",
    "Limits",
    "Outcome",
    "Refused",
    "Released",
    "Rules",
    "Run",
    "Stop",
    "Stored",
    "backoff",
    "error",
]

WORKER_LOST = "worker_lost"
STORED_BYTES_DIFFER = "stored_bytes_differ"
MAX_BACKOFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a claim holds without progress, a run may take and how often a stage is tried."""

    lease: timedelta = timedelta(seconds=30)
    deadlines: Mapping[Stage, timedelta] = field(
        default_factory=lambda: {
            Stage.DOWNLOAD: timedelta(hours=12),
            Stage.VALIDATE: timedelta(hours=2),
        }
    )
    max_attempts: int = 5
    retry_base: timedelta = timedelta(seconds=10)


def backoff(attempt: int, base: timedelta, jitter: float) -> timedelta:
    """Exponential with full jitter: ``jitter`` in [0, 1] of base x 2^(attempt-1), at most 5 min."""
    ceiling = min(base * (1 << min(attempt - 1, 20)), MAX_BACKOFF)
    return ceiling * jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules with their limits and the moment from which silence means death.

    After its own start the API waits one lease before it believes silence, because while it was
    away nobody could renew a claim.
    """

    limits: Limits
    trust_silence_from: datetime

    def claim(self, task: Task, run: Run, now: datetime) -> tuple[Task, Decision]:
        """Decide on a claim; the task comes back changed only by *go* and by the last failure."""
        if self.holds(task, run):
            return task, Go(task)
        refusal = self._refuse_claim(task, run, now)
        if refusal is not None:
            return task, refusal
        if task.attempts >= self.limits.max_attempts:
            lost = error(WORKER_LOST, f"The last of {task.attempts} attempts went silent.")
            return self._fail(task, (lost,), None, now), Stop("attempts_exhausted")
        started = self._start(task, run, now)
        return started, Go(started)

    @staticmethod
    def wait(task: Task, until: datetime) -> Task:
        """The task with no run until this moment; that costs it nothing."""
        return replace(task, due_at=until, published=0)

    def _refuse_claim(self, task: Task, run: Run, now: datetime) -> Later | Stop | None:
        if task.generation != run.generation or task.stage not in {run.stage, None}:
            return Stop("stale")
        if task.stage is None:
            return Stop("final")
        free_at = self._free_at(task)
        return Later(free_at - now) if free_at > now else None

    def _free_at(self, task: Task) -> datetime:
        if task.claim is not None:
            return max(task.claim.lease_until, self.trust_silence_from)
        return task.waits_until or task.updated_at

    def _start(self, task: Task, run: Run, now: datetime) -> Task:
        deadline = now + self.limits.deadlines[run.stage]
        lease_until = min(now + self.limits.lease, deadline)
        return replace(
            task,
            status=STAGES[run.stage].running,
            version=task.version + 1,
            updated_at=now,
            claim=Claim(run_id=run.id, lease_until=lease_until, deadline=deadline),
            attempts=task.attempts + 1,
            published=0,
            due_at=lease_until,
            progress=Progress(stage=run.stage, done_bytes=0, total_bytes=None),
        )

    def progress(
        self, task: Task, run: Run, done_bytes: int, total_bytes: int | None, now: datetime
    ) -> Task | None:
        """Renew the claim of this run; None when it does not hold it any more."""
        claim = task.claim
        if claim is None or not self.holds(task, run) or now >= claim.deadline:
            return None
        lease_until = min(now + self.limits.lease, claim.deadline)
        return replace(
            task,
            claim=replace(claim, lease_until=lease_until),
            due_at=lease_until,
            progress=Progress(stage=run.stage, done_bytes=done_bytes, total_bytes=total_bytes),
        )

    def report(
        self, task: Task, run: Run, outcome: Outcome, now: datetime, jitter: float
    ) -> Task | None:
        """Apply how a run ended; None when the run does not hold the claim: nothing changes.

        Accepted gives the completed task without its record; whoever inserts the record settles
        who has the ISRC (see ``lose_isrc``).
        """
        if not self.holds(task, run):
            return None
        if isinstance(outcome, Failed):
            return self._retry(task, outcome, now, jitter)
        if isinstance(outcome, Released):
            return self._release(task, outcome, now)
        return self._conclude(task, run.stage, outcome, now, jitter)

    def _conclude(
        self,
        task: Task,
        stage: Stage,
        outcome: Stored | Accepted | Refused,
        now: datetime,
        jitter: float,
    ) -> Task:
        match stage, outcome:
            case Stage.DOWNLOAD, Stored():
                return self._stored(task, outcome, now)
            case Stage.VALIDATE, Accepted():
                return self._accepted(task, outcome, now, jitter)
            case _, Refused():
                failed = self._fail(task, outcome.problems, outcome.format, now)
                return replace(failed, has_report=stage is Stage.VALIDATE and bool(outcome.report))
            case _:  # an outcome that is not this stage's to report
                return self.give_up(task, now)

    @staticmethod
    def holds(task: Task, run: Run) -> bool:
        """Whether this run has the claim on the task."""
        fits = (task.generation, task.stage) == (run.generation, run.stage)
        return fits and task.claim is not None and task.claim.run_id == run.id

    @staticmethod
    def _stored(task: Task, outcome: Stored, now: datetime) -> Task:
        return replace(
            _unclaimed(task, now),
            status=Status.DOWNLOADED,
            attempts=0,
            master=outcome.master,
            problems=outcome.problems,
            last_failure=None,
            due_at=now,
        )

    def _accepted(self, task: Task, outcome: Accepted, now: datetime, jitter: float) -> Task:
        master = task.master
        if master is None or (outcome.md5, outcome.size_bytes) != (master.md5, master.size_bytes):
            differ = error(STORED_BYTES_DIFFER, "The stored bytes are not those that were fetched.")
            return self._retry(task, Failed(problem=differ), now, jitter)
        return replace(
            _unclaimed(task, now),
            status=Status.COMPLETED,
            format=outcome.format,
            problems=task.problems + outcome.problems,
            last_failure=None,
            due_at=None,
            has_report=bool(outcome.report),
        )

    def _retry(self, task: Task, outcome: Failed, now: datetime, jitter: float) -> Task:
        if task.attempts >= self.limits.max_attempts:
            return self._fail(task, (outcome.problem,), None, now)
        wait = backoff(task.attempts, self.limits.retry_base, jitter)
        if outcome.retry_after is not None:
            wait = max(wait, outcome.retry_after)
        return replace(_unclaimed(task, now), due_at=now + wait, last_failure=outcome.problem)

    @staticmethod
    def _release(task: Task, outcome: Released, now: datetime) -> Task:
        return replace(
            _unclaimed(task, now),
            attempts=max(task.attempts - 1, 0),
            due_at=now + outcome.retry_after,
        )

    def give_up(self, task: Task, now: datetime) -> Task:
        """Fail a task whose report cannot be understood or applied."""
        broken = error("internal_error", "The result of this stage could not be taken over.")
        return self.fail(task, broken, now)

    def fail(self, task: Task, problem: Finding, now: datetime) -> Task:
        """Fail a task for good in the stage that it is in."""
        return self._fail(task, (problem,), None, now)

    @staticmethod
    def _fail(
        task: Task,
        problems: tuple[Finding, ...],
        format_: Mapping[str, object] | None,
        now: datetime,
    ) -> Task:
        stage = task.stage
        if stage is None:
            return task
        return replace(
            _unclaimed(task, now),
            status=STAGES[stage].failed,
            problems=task.problems + problems,
            last_failure=None,
            format=format_,
            due_at=None,
        )

    @staticmethod
    def lose_isrc(task: Task) -> Task:
        """The end of an accepted task whose ISRC another valid record holds by now."""
        taken = error(
            "isrc_taken", "Another valid record holds this ISRC.", measured=task.isrc or ""
        )
        return replace(task, status=Status.VALIDATION_FAILED, problems=(*task.problems, taken))


def _unclaimed(task: Task, now: datetime) -> Task:
    return replace(
        task, claim=None, published=0, version=task.version + 1, updated_at=now, progress=None
    )
