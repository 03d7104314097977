"""Reading what workers send: whose run it is, and where to put what makes no sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from services.api.domain.lifecycle import Stage
from shared.bus import subjects
from shared.telemetry.metrics import DEAD_LETTERS

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.use_cases.dead_letters import DeadLetters

_log = structlog.get_logger(__name__)


def parse_run(subject: str) -> tuple[Stage, UUID]:
    """The stage and task that a subject names; the stage is believed from nowhere else.

    Raises BadSubject.
    """
    named = subjects.parse_run(subject)
    try:
        return Stage(named.stage), named.task_id
    except ValueError as error:
        raise subjects.BadSubject(f"{named.stage!r} is no stage") from error


async def bury(letters: DeadLetters, subject: str, payload: bytes, error: Exception) -> None:
    """Keep a message that will never be understood; raises Unavailable."""
    shown = ascii(subject)[1:-1]  # a subject may hold what a database refuses
    _log.warning("dead_letter", subject=shown, error=repr(error))
    await letters.add(shown, payload, repr(error))
    DEAD_LETTERS.labels(type(error).__name__).inc()
