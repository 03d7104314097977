"""What runs work on: the state that claims, progress and reports change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Priority, due_stage

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.lifecycle import PublicationStatus, Stage, Status

Finding = Mapping[str, str]
"""A problem as it is stored and shown: the fields of shared.problems.Problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right of one run to work on it: until ``lease_until``, at most to ``deadline``."""

    run_id: UUID
    lease_until: datetime
    deadline: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the running stage is, in bytes."""

    stage: Stage
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A task or a publication, in its present generation.

    ``attempts`` counts the claims that were charged to the present stage; ``published`` the
    commands sent since the row became due; ``due_at`` is when the dispatcher has to look at it
    again, None when nothing is to be done; ``last_failure`` is why the attempt before failed, while
    another one is to come; ``version`` grows with every change but progress; ``traceparent`` says
    in which trace the present generation was asked for (W3C Trace Context).
    """

    id: UUID
    tenant: str
    status: Status | PublicationStatus
    generation: int
    version: int
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None
    priority: Priority = Priority.INTERACTIVE
    attempts: int = 0
    published: int = 0
    claim: Claim | None = None
    progress: Progress | None = None
    problems: tuple[Finding, ...] = ()
    last_failure: Finding | None = None
    traceparent: str | None = None

    @property
    def stage(self) -> Stage | None:
        """The stage that has to work on it; None when none has to."""
        return due_stage(self.status)

    @property
    def waits_until(self) -> datetime | None:
        """The moment before which no run may start; None while a run or a command is under way.

        ``due_at`` of an unclaimed row is that moment until the first command is published for it;
        after that it is only the time of the next command.
        """
        return self.due_at if self.claim is None and self.published == 0 else None

    @property
    def next_attempt_at(self) -> datetime | None:
        """When the next attempt may start, after one that failed."""
        return self.waits_until if self.last_failure else None
