"""What the API and its workers say to each other, as plain data (see wire.py for the bytes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from shared.stage.job import Job, Outcome


@dataclass(frozen=True, slots=True)
class Command:
    """A stage of this generation is due: a hint, maybe stale or repeated."""

    task_id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """The wish to start this run."""

    generation: int
    run_id: UUID


@dataclass(frozen=True, slots=True)
class Go:
    """Start: the claim ends ``lease`` after the last progress, the run ``deadline`` from now."""

    job: Job
    lease: timedelta
    deadline: timedelta


@dataclass(frozen=True, slots=True)
class Later:
    """Not yet: ask again after the delay."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Stop:
    """Never: forget the command."""

    reason: str


ClaimReply = Go | Later | Stop


@dataclass(frozen=True, slots=True)
class ProgressRequest:
    """This run is alive, and so many bytes are done (of so many, if that is known)."""

    generation: int
    run_id: UUID
    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class CancelHint:
    """Runs of this generation and older are void."""

    generation: int


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    generation: int
    run_id: UUID
    outcome: Outcome
