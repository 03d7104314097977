"""How much tenants may store and fetch at once, and when that is too much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Status
from services.api.domain.outcomes import error

if TYPE_CHECKING:
    from services.api.domain.task import Finding, Task

QUOTA_EXCEEDED = "quota_exceeded"
UNJUDGED = frozenset({Status.DOWNLOADED, Status.VALIDATING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What the operator lets every tenant have; 0 is any number.

    ``stored_bytes`` holds for tenants without a quota of their own; ``running_downloads`` counts
    those of the whole fleet.
    """

    stored_bytes: int = 0
    running_downloads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What a tenant stores and may store, in bytes; a ``quota`` of 0 is any number."""

    stored: int = 0
    quota: int = 0

    @property
    def remaining(self) -> int | None:
        """How many bytes more may be stored, below 0 when there are too many; None for any."""
        return self.quota - self.stored if self.quota else None

    def has_room(self, size: int = 1) -> bool:
        """Whether so many bytes more may be stored."""
        return self.remaining is None or size <= self.remaining

    def exceeded(self, size: int = 0) -> Finding:
        """Why so many bytes more, or any, are not stored."""
        return error(
            QUOTA_EXCEEDED,
            "There is no room for this master within the bytes that may be stored.",
            measured=str(self.stored + size),
            allowed=str(self.quota),
        )


def unjudged_bytes(task: Task) -> int:
    """The bytes that a task stores while there is no verdict; its record's count apart.

    So do those of its upload.
    """
    if task.master is None or task.source_upload_id is not None:
        return 0
    return task.master.size_bytes if task.status in UNJUDGED else 0
