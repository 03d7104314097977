"""Covers: the picture of a product or a track, and its thumbnail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from services.api.domain.files import File

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.task import Master, Target

COLLECTION: Final = "covers"
PURPOSE: Final = b"stagedoor cover links 1"
"""What the deployment's secret keys are derived for."""
MIN_SIDE: Final = 300
ASPECT_TOLERANCE: Final = 0.01
"""How much longer one side may be than the other: covers are square."""
THUMBNAIL_SIDE: Final = 300
_JPEG: Final = "image/jpeg"
_EMBEDDED: Final = frozenset({_JPEG, "image/png"})
MAX_EMBEDDED: Final = 8 * 1024 * 1024
"""The largest picture that goes into published files whole; FLAC has room for twice that."""
_LASTING: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A picture of something; the sides are pixels, the ``thumbnail`` is a JPEG."""

    id: UUID
    tenant: str
    target: Target
    media_type: str
    width: int
    height: int
    picture: Master
    thumbnail: Master
    created_at: datetime

    @property
    def picture_file(self) -> File:
        """The picture as a file to give out."""
        return self._file(self.picture, self.media_type)

    @property
    def thumbnail_file(self) -> File:
        """The thumbnail as a file to give out."""
        return self._file(self.thumbnail, _JPEG)

    @property
    def embedded(self) -> Master:
        """What goes into published files: the thumbnail for a picture that they cannot have."""
        fits = self.media_type in _EMBEDDED and self.picture.size_bytes <= MAX_EMBEDDED
        return self.picture if fits else self.thumbnail

    def _file(self, blob: Master, media_type: str) -> File:
        return File(
            id=self.id,
            collection=COLLECTION,
            blob_key=blob.blob_key,
            size_bytes=blob.size_bytes,
            md5=blob.md5,
            name=f"{self.id}.{media_type.partition('/')[2]}",
            media_type=media_type,
        )

    @property
    def size(self) -> int:
        """How many bytes both have."""
        return self.picture.size_bytes + self.thumbnail.size_bytes


def wrong_size(width: int, height: int) -> str | None:
    """Why a picture of this size is no cover; None if it may be one."""
    if min(width, height) < MIN_SIDE:
        return f"A cover has at least {MIN_SIDE} pixels on each side, not {width} x {height}."
    if max(width, height) > min(width, height) * (1 + ASPECT_TOLERANCE):
        return f"A cover is square, not {width} x {height}."
    return None


def link_ends(now: datetime) -> datetime:
    """When a link that is asked for now expires: all day long the same, so that it can be kept."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + _LASTING
