"""The life of a task: its statuses, its stages and every legal step between them.

The picture in docs/life-of-a-task.md is drawn from TRANSITIONS (see diagram.py). A publication has
a life of its own, on the same stages' rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Generic, TypeVar


class Status(StrEnum):
    """Where a task stands; the words are the seed's."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    VALIDATING = "validating"
    COMPLETED = "completed"
    DOWNLOAD_FAILED = "download_failed"
    VALIDATION_FAILED = "validation_failed"


class PublicationStatus(StrEnum):
    """Where a publication stands; a draft is one that nobody has asked for yet."""

    DRAFT = "draft"
    QUEUED = "queued"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    PUBLISH_FAILED = "publish_failed"


class Stage(StrEnum):
    """One step with its own service and its own fleet."""

    DOWNLOAD = "download"
    VALIDATE = "validate"
    PUBLISH = "publish"


class Priority(IntEnum):
    """Which work goes first; the numbers are those of the database."""

    INTERACTIVE = 0
    BULK = 1


PRIORITIES = {priority.name.lower(): priority for priority in Priority}
"""By their names."""


S = TypeVar("S", Status, PublicationStatus)


class Cause(StrEnum):
    """What makes a task take a step."""

    CLAIM = "claim"
    SUCCESS = "success"
    FAILURE = "failure"
    NEW_GENERATION = "new generation"
    UPLOAD_AGAIN = "retry of an upload"


@dataclass(frozen=True, slots=True)
class StageStatuses(Generic[S]):
    """The statuses that one stage owns."""

    waiting: S
    running: S
    done: S
    failed: S


STAGES = {
    Stage.DOWNLOAD: StageStatuses(
        Status.PENDING, Status.DOWNLOADING, Status.DOWNLOADED, Status.DOWNLOAD_FAILED
    ),
    Stage.VALIDATE: StageStatuses(
        Status.DOWNLOADED, Status.VALIDATING, Status.COMPLETED, Status.VALIDATION_FAILED
    ),
}
"""The stages of a task."""

PUBLISHING = StageStatuses(
    PublicationStatus.QUEUED,
    PublicationStatus.PUBLISHING,
    PublicationStatus.PUBLISHED,
    PublicationStatus.PUBLISH_FAILED,
)
"""The one stage of a publication."""

_OWNED: dict[Stage, StageStatuses[Status] | StageStatuses[PublicationStatus]] = {
    **STAGES,
    Stage.PUBLISH: PUBLISHING,
}

UPLOADED = Status.DOWNLOADED
"""Where a task begins whose bytes were uploaded, and so are proven."""
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
    steps.append((Status.VALIDATION_FAILED, Cause.UPLOAD_AGAIN, UPLOADED))
    return tuple(steps)


TRANSITIONS = _transitions()


def owned_by(stage: Stage) -> StageStatuses[Status] | StageStatuses[PublicationStatus]:
    """The statuses of a stage, be it a task's or a publication's."""
    return _OWNED[stage]


def due_stage(status: Status | PublicationStatus) -> Stage | None:
    """The stage that has to work on what is in this status; None when none has to."""
    for stage, owned in _OWNED.items():
        if status in {owned.waiting, owned.running}:
            return stage
    return None


def is_legal(before: Status, after: Status) -> bool:
    """Whether a status may follow another one in one step."""
    return before == after or any((b, a) == (before, after) for b, _, a in TRANSITIONS)
