"""The life of a task: its statuses, its stages and every legal step between them.

The picture in docs/life-of-a-task.md is drawn from TRANSITIONS (see diagram.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where a task stands; the words are the seed's."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    VALIDATING = "validating"
    COMPLETED = "completed"
    DOWNLOAD_FAILED = "download_failed"
    VALIDATION_FAILED = "validation_failed"


class Stage(StrEnum):
    """One step with its own service and its own fleet."""

    DOWNLOAD = "download"
    VALIDATE = "validate"


class Cause(StrEnum):
    """What makes a task take a step."""

    CLAIM = "claim"
    SUCCESS = "success"
    FAILURE = "failure"
    NEW_GENERATION = "new generation"


@dataclass(frozen=True, slots=True)
class StageStatuses:
    """The statuses that one stage owns."""

    waiting: Status
    running: Status
    done: Status
    failed: Status


STAGES = {
    Stage.DOWNLOAD: StageStatuses(
        Status.PENDING, Status.DOWNLOADING, Status.DOWNLOADED, Status.DOWNLOAD_FAILED
    ),
    Stage.VALIDATE: StageStatuses(
        Status.DOWNLOADED, Status.VALIDATING, Status.COMPLETED, Status.VALIDATION_FAILED
    ),
}

FAILED = frozenset({Status.DOWNLOAD_FAILED, Status.VALIDATION_FAILED})
FINAL = FAILED | {Status.COMPLETED}

Transition = tuple[Status, Cause, Status]


def _transitions() -> tuple[Transition, ...]:
    steps: list[Transition] = []
    for owned in STAGES.values():
        steps += [
            (owned.waiting, Cause.CLAIM, owned.running),
            # A claim that was given back or has run out keeps the status until the next one.
            (owned.running, Cause.CLAIM, owned.running),
            (owned.running, Cause.SUCCESS, owned.done),
            (owned.running, Cause.FAILURE, owned.failed),
        ]
    steps += [(status, Cause.NEW_GENERATION, Status.PENDING) for status in Status]
    return tuple(steps)


TRANSITIONS = _transitions()


def due_stage(status: Status) -> Stage | None:
    """The stage that has to work on a task in this status; None when it is final."""
    for stage, owned in STAGES.items():
        if status in {owned.waiting, owned.running}:
            return stage
    return None


def is_legal(before: Status, after: Status) -> bool:
    """Whether a status may follow another one in one step."""
    return before == after or any((b, a) == (before, after) for b, _, a in TRANSITIONS)
