"""Upload sessions: for a while, tracks are uploaded into a collection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

COLLECTION: Final = "uploadSessions"
DEFAULT_TTL: Final = timedelta(hours=1)
MIN_TTL, MAX_TTL = timedelta(minutes=1), timedelta(days=1)
KEPT: Final = timedelta(days=7)
"""How long one that has expired is known still."""


class SessionState(StrEnum):
    """Tracks can be added; nothing is taken any more."""

    OPEN = "open"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSession:
    """One session; its tracks come into the collection, and their links end with it."""

    id: UUID
    tenant: str
    created_at: datetime
    expires_at: datetime
    collection_id: UUID
    creator_id: UUID | None = None
    organization_index: str | None = None
    metadata: Mapping[str, Any] | None = None

    def state(self, now: datetime) -> SessionState:
        """Where it stands."""
        return SessionState.OPEN if now < self.expires_at else SessionState.EXPIRED
