"""Jobs: writes whose result is told later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.task import Target
    from services.api.domain.work import Finding

COLLECTION: Final = "jobs"
KEPT: Final = timedelta(days=7)
"""How long a job is kept once it has ended."""
TASK_DELETED: Final[Finding] = {
    "code": "import_task_deleted",
    "severity": "error",
    "detail": "The import task was deleted before it ended.",
}
TASK_FAILED: Final[Finding] = {
    "code": "import_failed",
    "severity": "error",
    "detail": "The import task failed.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One write, such as uploadTracks.create, to a ``resource``.

    It waits for the import task ``task_id``, if it has one. ``result`` is the resource as it was
    when the job ended, or before it was deleted, as snapshots write it; ``error`` is why it failed.
    """

    id: UUID
    tenant: str
    number: int
    action: str
    resource: Target
    created_at: datetime
    task_id: UUID | None = None
    ended_at: datetime | None = None
    error: Finding | None = None
    result: Mapping[str, Any] | None = None

    def ended(self, now: datetime, result: Mapping[str, Any] | None, error: Finding | None) -> Job:
        """The same, ended."""
        return replace(self, ended_at=now, result=result, error=error)
