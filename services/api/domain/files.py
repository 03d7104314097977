"""What masters and renditions are called, and said to be, when they are given out as files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.domain.publishing import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.api.domain.catalogue import Record
    from services.api.domain.publishing import Rendition

_UNKNOWN = ("bin", "application/octet-stream")
_WAVE = ("wav", "audio/vnd.wave")
_CONTAINERS: Mapping[str, tuple[str, str]] = {
    "RIFF": _WAVE,
    "RF64": _WAVE,
    "BW64": _WAVE,
    "FLAC file": ("flac", "audio/flac"),
    "MP4": ("mp4", "audio/mp4"),
    "MPEG-TS": ("ts", "video/mp2t"),
    "SubRip": ("srt", "application/x-subrip"),
    "WebVTT": ("vtt", "text/vtt"),
}
_STREAMS: Mapping[str, tuple[str, str]] = {
    "E-AC-3": ("ec3", "audio/eac3"),
    "AC-4": ("ac4", _UNKNOWN[1]),
    "TrueHD": ("thd", "audio/vnd.dolby.mlp"),
}
"""Of streams without a container, by the first word of the codec."""
_MOVING = re.compile(r"apple_motion_art_")
_UNCLEAN = re.compile(r"[^A-Za-z0-9-]", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """Stored bytes that clients can have, by a link that names the ``id``."""

    id: UUID
    collection: str
    blob_key: str
    size_bytes: int
    md5: str
    name: str
    media_type: str


def file_of_record(record: Record) -> File:
    """The file of a record."""
    master = record.master
    return File(
        id=record.id,
        collection="records",
        blob_key=master.blob_key,
        size_bytes=master.size_bytes,
        md5=master.md5,
        name=file_name(record),
        media_type=media_type(record),
    )


def file_of_rendition(rendition: Rendition) -> File:
    """The file of a rendition, called by its publication and its format."""
    kind = FORMATS[rendition.format]
    return File(
        id=rendition.id,
        collection="renditions",
        blob_key=rendition.blob_key,
        size_bytes=rendition.size_bytes,
        md5=rendition.md5,
        name=f"{rendition.publication_id}-{rendition.format}.{kind.extension}",
        media_type=kind.media_type,
    )


def file_name(record: Record) -> str:
    """ISRC, or id where there is none, and an extension: letters, digits, hyphens and one dot."""
    stem = _UNCLEAN.sub("", record.isrc or "") or str(record.id)
    return f"{stem}.{_kind(record)[0]}"


def media_type(record: Record) -> str:
    """The media type of the bytes (RFC 6838)."""
    known = _kind(record)[1]
    if known == "audio/mp4" and _MOVING.match(record.master_type):
        return "video/mp4"
    return known


def _kind(record: Record) -> tuple[str, str]:
    codec = str(record.format.get("codec") or "").partition(" ")[0]
    container = str(record.format.get("container") or "")
    return _CONTAINERS.get(container) or _STREAMS.get(codec) or _UNKNOWN
