"""Every subject of the bus, built and parsed in this one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

ALL_WORK: Final = "stagedoor.work.>"
ALL_REPORTS: Final = "stagedoor.reports.*.*"
ALL_EVENTS: Final = "stagedoor.events.>"
ALL_CLAIMS: Final = "stagedoor.claim.*.*"
ALL_PROGRESS: Final = "stagedoor.progress.*.*"
ALL_CANCELS: Final = "stagedoor.cancel.*"

# NATS splits at dots, matches * and >, and ends a subject at white space.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class BadSubject(ValueError):  # noqa: N818 - reads as what it is
    """The subject is none of ours."""


@dataclass(frozen=True, slots=True)
class RunSubject:
    """What a claim, progress or report says by its subject; the stage is believed from here."""

    stage: str
    task_id: UUID


def work(stage: str, task_id: UUID, generation: int) -> str:
    """API to workers: this stage of this generation is due."""
    return f"stagedoor.work.{_token(stage)}.{task_id}.{generation}"


def work_of(stage: str) -> str:
    """The filter of one stage's commands."""
    return f"stagedoor.work.{_token(stage)}.>"


def claim(stage: str, task_id: UUID) -> str:
    """Worker to API: the wish to start."""
    return f"stagedoor.claim.{_token(stage)}.{task_id}"


def progress(stage: str, task_id: UUID) -> str:
    """Worker to API: I am alive and so far."""
    return f"stagedoor.progress.{_token(stage)}.{task_id}"


def report(stage: str, task_id: UUID) -> str:
    """Worker to API: my run ended so."""
    return f"stagedoor.reports.{_token(stage)}.{task_id}"


def cancel(task_id: UUID) -> str:
    """API to workers: look up from this task."""
    return f"stagedoor.cancel.{task_id}"


def event(tenant: str, status: str) -> str:
    """API to the world: an import task of this tenant has this status now."""
    return f"stagedoor.events.{_token(tenant)}.import_task.{_token(status)}"


def parse_run(subject: str) -> RunSubject:
    """Read the subject of a claim, progress or report; raises BadSubject."""
    match subject.split("."):
        case ["stagedoor", "claim" | "progress" | "reports", stage, task_id]:
            return RunSubject(_token(stage), _uuid(task_id))
    raise BadSubject(subject)


def parse_cancel(subject: str) -> UUID:
    """The task of a cancel hint; raises BadSubject."""
    match subject.split("."):
        case ["stagedoor", "cancel", task_id]:
            return _uuid(task_id)
    raise BadSubject(subject)


def _token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise BadSubject(f"{text!r} cannot be a part of a subject")
    return text


def _uuid(text: str) -> UUID:
    try:
        value = UUID(text)
    except ValueError as error:
        raise BadSubject(f"{text!r} is no task") from error
    if str(value) != text:  # UUID() also takes braces, urn: and bare hexadecimal digits
        raise BadSubject(f"{text!r} is no task")
    return value
