"""What a master is called, and said to be, when it is given out as a file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.api.domain.catalogue import Record

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
