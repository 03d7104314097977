"""Upload tracks: subtitles or sound in one language, beside what is in a kept upload."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.lifecycle import Status
    from services.api.domain.work import Finding

COLLECTION: Final = "uploadTracks"


class TrackType(StrEnum):
    """What is in a track."""

    SUBTITLES = "subtitles"
    AUDIO = "audio"


MASTER_TYPES: Final[Mapping[TrackType, str]] = {
    TrackType.SUBTITLES: "subtitles",
    TrackType.AUDIO: "audio_track",
}
"""As what the file of a track is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadTrack:
    """A track of the upload ``upload_id``; the import task ``task_id`` brings its file.

    ``language_code`` is a tag of BCP 47. ``status`` and ``problems`` are those of the task; there
    is no status when somebody has deleted it. ``version`` counts the track's own changes.
    """

    id: UUID
    tenant: str
    version: int
    created_at: datetime
    updated_at: datetime
    upload_id: UUID
    type: TrackType
    language_code: str
    display_name: str
    closed_captions: bool | None
    task_id: UUID
    status: Status | None = None
    problems: tuple[Finding, ...] = ()
