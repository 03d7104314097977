"""What a claim, progress and a report do to a task: pure functions from a task to the next one.

Nothing here trusts order or number of messages: a message that does not name the run that holds
the claim, or its generation, changes nothing. ``RunRules`` are those of every stage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from services.api.domain.lifecycle import Stage, Status, owned_by
from services.api.domain.outcomes import (
    Accepted,
    Decision,
    Failed,
    Go,
    GoPublish,
    Later,
    Outcome,
    Published,
    Refused,
    Released,
    Run,
    Stop,
    Stored,
    error,
)
from services.api.domain.task import Task
from services.api.domain.work import Claim, Finding, Progress, Work

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = [
    "Accepted",
    "Decision",
    "Failed",
    "Go",
    "GoPublish",
    "Later",
    "Limits",
    "Outcome",
    "Published",
    "Refused",
    "Released",
    "Rules",
    "Run",
    "RunRules",
    "Stop",
    "Stored",
    "backoff",
    "error",
]

WORKER_LOST = "worker_lost"
STORED_BYTES_DIFFER = "stored_bytes_differ"
MAX_BACKOFF = timedelta(minutes=5)

W = TypeVar("W", bound=Work)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a claim holds without progress, a run may take and how often a stage is tried."""

    lease: timedelta = timedelta(seconds=30)
    deadlines: Mapping[Stage, timedelta] = field(
        default_factory=lambda: {
            Stage.DOWNLOAD: timedelta(hours=12),
            Stage.VALIDATE: timedelta(hours=2),
            Stage.PUBLISH: timedelta(hours=6),
        }
    )
    max_attempts: int = 5
    retry_base: timedelta = timedelta(seconds=10)


def backoff(attempt: int, base: timedelta, jitter: float) -> timedelta:
    """Exponential with full jitter: ``jitter`` in [0, 1] of base x 2^(attempt-1), at most 5 min."""
    ceiling = min(base * (1 << min(attempt - 1, 20)), MAX_BACKOFF)
    return ceiling * jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules(ABC, Generic[W]):
    """The rules with their limits and the moment from which silence means death.

    After its own start the API waits one lease before it believes silence, because while it was
    away nobody could renew a claim.
    """

    limits: Limits
    trust_silence_from: datetime

    def decide(self, work: W, run: Run, now: datetime) -> tuple[W, Later | Stop | None]:
        """Decide on a claim, None for *go*; the work is changed only by that and the last failure.

        A run that has the claim gets the same answer again, and the very same work.
        """
        if self.holds(work, run):
            return work, None
        refusal = self._refuse_claim(work, run, now)
        if refusal is not None:
            return work, refusal
        if work.attempts >= self.limits.max_attempts:
            lost = error(WORKER_LOST, f"The last of {work.attempts} attempts went silent.")
            return self.fail(work, lost, now), Stop("attempts_exhausted")
        return self._start(work, run, now), None

    @staticmethod
    def wait(work: W, until: datetime) -> W:
        """The same with no run until this moment; that costs it nothing."""
        return replace(work, due_at=until, published=0)

    def _refuse_claim(self, work: W, run: Run, now: datetime) -> Later | Stop | None:
        if work.generation != run.generation or work.stage not in {run.stage, None}:
            return Stop("stale")
        if work.stage is None:
            return Stop("final")
        free_at = self._free_at(work)
        return Later(free_at - now) if free_at > now else None

    def _free_at(self, work: W) -> datetime:
        if work.claim is not None:
            return max(work.claim.lease_until, self.trust_silence_from)
        return work.waits_until or work.updated_at

    def _start(self, work: W, run: Run, now: datetime) -> W:
        deadline = now + self.limits.deadlines[run.stage]
        lease_until = min(now + self.limits.lease, deadline)
        return replace(
            work,
            status=owned_by(run.stage).running,
            version=work.version + 1,
            updated_at=now,
            claim=Claim(run_id=run.id, lease_until=lease_until, deadline=deadline),
            attempts=work.attempts + 1,
            published=0,
            due_at=lease_until,
            progress=Progress(stage=run.stage, done_bytes=0, total_bytes=None),
        )

    def progress(
        self, work: W, run: Run, done_bytes: int, total_bytes: int | None, now: datetime
    ) -> W | None:
        """Renew the claim of this run; None when it does not hold it any more."""
        claim = work.claim
        if claim is None or not self.holds(work, run) or now >= claim.deadline:
            return None
        lease_until = min(now + self.limits.lease, claim.deadline)
        return replace(
            work,
            claim=replace(claim, lease_until=lease_until),
            due_at=lease_until,
            progress=Progress(stage=run.stage, done_bytes=done_bytes, total_bytes=total_bytes),
        )

    def report(self, work: W, run: Run, outcome: Outcome, now: datetime, jitter: float) -> W | None:
        """Apply how a run ended; None when the run does not hold the claim: nothing changes."""
        if not self.holds(work, run):
            return None
        match outcome:
            case Failed():
                return self._retry(work, outcome, now, jitter)
            case Released():
                return self._release(work, outcome, now)
            case _:
                return self._conclude(work, run.stage, outcome, now, jitter)

    @abstractmethod
    def _conclude(
        self,
        work: W,
        stage: Stage,
        outcome: Stored | Accepted | Published | Refused,
        now: datetime,
        jitter: float,
    ) -> W:
        """Apply the end of a stage."""

    @staticmethod
    def holds(work: W, run: Run) -> bool:
        """Whether this run has the claim."""
        fits = (work.generation, work.stage) == (run.generation, run.stage)
        return fits and work.claim is not None and work.claim.run_id == run.id

    def _retry(self, work: W, outcome: Failed, now: datetime, jitter: float) -> W:
        if work.attempts >= self.limits.max_attempts:
            return self.fail(work, outcome.problem, now)
        wait = backoff(work.attempts, self.limits.retry_base, jitter)
        if outcome.retry_after is not None:
            wait = max(wait, outcome.retry_after)
        return replace(unclaimed(work, now), due_at=now + wait, last_failure=outcome.problem)

    @staticmethod
    def _release(work: W, outcome: Released, now: datetime) -> W:
        return replace(
            unclaimed(work, now),
            attempts=max(work.attempts - 1, 0),
            due_at=now + outcome.retry_after,
        )

    def give_up(self, work: W, now: datetime) -> W:
        """Fail what a report was about that cannot be understood or applied."""
        broken = error("internal_error", "The result of this stage could not be taken over.")
        return self.fail(work, broken, now)

    @classmethod
    def fail(cls, work: W, problem: Finding, now: datetime) -> W:
        """Fail for good in the present stage."""
        return cls._fail(work, (problem,), now)

    @staticmethod
    def _fail(work: W, problems: tuple[Finding, ...], now: datetime) -> W:
        stage = work.stage
        if stage is None:
            return work
        return replace(
            unclaimed(work, now),
            status=owned_by(stage).failed,
            problems=work.problems + problems,
            last_failure=None,
            due_at=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules(RunRules[Task]):
    """The rules of the stages of a task."""

    def claim(self, task: Task, run: Run, now: datetime) -> tuple[Task, Decision]:
        """Decide on a claim; the task comes back changed only by *go* and by the last failure."""
        after, refusal = self.decide(task, run, now)
        return after, refusal or Go(after)

    def _conclude(
        self,
        work: Task,
        stage: Stage,
        outcome: Stored | Accepted | Published | Refused,
        now: datetime,
        jitter: float,
    ) -> Task:
        """Apply the end of a stage.

        Accepted gives the completed task without its record; whoever inserts the record settles
        who has the ISRC (see ``lose_isrc``).
        """
        match stage, outcome:
            case Stage.DOWNLOAD, Stored():
                return self._stored(work, outcome, now)
            case Stage.VALIDATE, Accepted():
                return self._accepted(work, outcome, now, jitter)
            case _, Refused():
                failed = replace(self._fail(work, outcome.problems, now), format=outcome.format)
                return replace(failed, has_report=stage is Stage.VALIDATE and bool(outcome.report))
            case _:  # an outcome that is not this stage's to report
                return self.give_up(work, now)

    @staticmethod
    def _stored(task: Task, outcome: Stored, now: datetime) -> Task:
        return replace(
            unclaimed(task, now),
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
            unclaimed(task, now),
            status=Status.COMPLETED,
            format=outcome.format,
            problems=task.problems + outcome.problems,
            last_failure=None,
            due_at=None,
            has_report=bool(outcome.report),
        )

    @staticmethod
    def lose_isrc(task: Task) -> Task:
        """The end of an accepted task whose ISRC another valid record holds by now."""
        taken = error(
            "isrc_taken", "Another valid record holds this ISRC.", measured=task.isrc or ""
        )
        return replace(task, status=Status.VALIDATION_FAILED, problems=(*task.problems, taken))


def unclaimed(work: W, now: datetime) -> W:
    """The same without its claim, in a version of its own."""
    return replace(
        work, claim=None, published=0, version=work.version + 1, updated_at=now, progress=None
    )
