"""The chna chunk: which track carries which audioTrackUID (ITU-R BS.2088, EBU Tech 3285 s7)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from shared.adm.riff import Chunk
    from shared.adm.source import Source

_HEAD = struct.Struct("<HH")
_ENTRY = struct.Struct("<H12s14s11sx")
_UNUSED_TRACK = 0
# As many slots as the count of UIDs can tell.
MAX_CHNA_BYTES = _HEAD.size + 0xFFFF * _ENTRY.size


@dataclass(frozen=True, slots=True)
class ChnaEntry:
    """One line: the 1-based track, its UID, and the audioTrackFormat and pack it refers to."""

    track: int
    uid: str
    track_format: str
    pack_format: str


@dataclass(frozen=True, slots=True)
class Chna:
    """The table; ``tracks`` is the count of tracks that it claims."""

    tracks: int
    entries: tuple[ChnaEntry, ...]


def read_chna(source: Source, chunk: Chunk) -> Chna:
    """Read the table, unused slots left out; raises FormatError when it is cut or too short."""
    if chunk.size > MAX_CHNA_BYTES:
        raise FormatError(f"A chna chunk of {chunk.size} bytes is too long", chunk.offset)
    payload = source.read(chunk.offset, chunk.size)
    if len(payload) < _HEAD.size:
        raise FormatError("The chna chunk has no header", chunk.offset)
    tracks, uids = _HEAD.unpack_from(payload)
    table = payload[_HEAD.size :]
    if len(table) < uids * _ENTRY.size or len(table) % _ENTRY.size:
        raise FormatError(
            f"The chna chunk has {len(payload)} bytes, {uids} UIDs need {4 + uids * _ENTRY.size}",
            chunk.offset,
        )
    entries = [_entry(*fields) for fields in _ENTRY.iter_unpack(table)]
    used = tuple(entry for entry in entries if entry.track != _UNUSED_TRACK)
    if len(used) != uids:
        raise FormatError(f"{uids} UIDs are announced, {len(used)} are there", chunk.offset)
    return Chna(tracks, used)


def _entry(track: int, uid: bytes, track_format: bytes, pack_format: bytes) -> ChnaEntry:
    return ChnaEntry(track, _text(uid), _text(track_format), _text(pack_format))


def _text(padded: bytes) -> str:
    return padded.rstrip(b"\0 ").decode("ascii", "replace")
