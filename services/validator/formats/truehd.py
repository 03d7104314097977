"""TrueHD access units: header, directory and the segments of the substreams."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from services.validator.formats.bits import BitReader
from services.validator.formats.truehd_checksums import CHECK_BYTES, nibble_ok, restart_ok
from services.validator.formats.truehd_sync import SYNC, MajorSync, parse_major_sync
from shared.adm.source import FormatError

HEADER_BYTES = 4
_LENGTH_MASK = 0xFFF
_EXTRA_WORD, _NO_RESTART, _CHECKED = 0x8000, 0x4000, 0x2000
_RESTART_SYNCS = {0x31EA, 0x31EB}
# The restart header of the 16-channel presentation; how it goes on is not public.
_OBJECT_RESTART_SYNC = 0x31EC
_RESTART_FLAGS = 0b11
# Between the highest matrix channel and the assignment of channels: noise and lossless check.
_AFTER_CHANNELS_BITS = 4 + 23 + 19 + 1 + 8 + 16


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One access unit; ``header_ok`` is whether the checksums before its substreams' data hold.

    ``checked`` are the segments that end in parity and CRC bytes.
    """

    sync: MajorSync | None
    header_ok: bool
    checked: tuple[bytes, ...]


def frame_size(head: bytes) -> int:
    """Return the bytes of a whole access unit from its first HEADER_BYTES.

    Raises FormatError when none can start here.
    """
    size = 2 * (int.from_bytes(head[:2]) & _LENGTH_MASK)
    if len(head) < HEADER_BYTES or size <= HEADER_BYTES:
        raise FormatError(f"An access unit cannot have {size} bytes")
    return size


def parse_unit(data: bytes, substreams: int | None) -> AccessUnit:
    """Read a whole access unit; ``substreams`` is their number since the last major sync.

    Raises FormatError when there was none, or when the directory leads out of the unit.
    """
    start, sync = HEADER_BYTES, None
    if data.startswith(SYNC, HEADER_BYTES):
        sync = parse_major_sync(data[HEADER_BYTES:])
        start, substreams = start + sync.size, sync.substreams
    if substreams is None:
        raise FormatError("The stream does not start with a major sync")
    words, entries, position = _directory(data, start, substreams)
    segments = _segments(data, position, entries)
    header_ok = nibble_ok((int.from_bytes(data[:2]), int.from_bytes(data[2:4]), *words))
    if sync:
        restarts = [_restart_ok(entry, segment) for entry, segment in segments]
        header_ok = header_ok and sync.crc_ok and all(restarts)
    return AccessUnit(sync, header_ok, tuple(data for entry, data in segments if entry & _CHECKED))


def _directory(data: bytes, start: int, substreams: int) -> tuple[list[int], list[int], int]:
    """Return all words of the directory, its entries without extra words, and where it ends."""
    words, entries, position = [], [], start
    for _ in range(substreams):
        if position + 4 > len(data):
            raise FormatError(f"The directory of {substreams} substreams leaves the access unit")
        entry, extra = struct.unpack_from(">HH", data, position)
        entries.append(entry)
        words.append(entry)
        position += 2
        if entry & _EXTRA_WORD:
            words.append(extra)
            position += 2
    return words, entries, position


def _segments(data: bytes, start: int, entries: list[int]) -> list[tuple[int, bytes]]:
    """Return each entry with its substream's bytes."""
    segments, begin = [], start
    for entry in entries:
        end = start + 2 * (entry & _LENGTH_MASK)
        if not begin + CHECK_BYTES <= end <= len(data):
            raise FormatError(f"A substream from byte {begin} to {end} leaves the access unit")
        segments.append((entry, data[begin:end]))
        begin = end
    return segments


def _restart_ok(entry: int, segment: bytes) -> bool:
    """Whether a restart header's CRC holds; raises FormatError when there is no such header."""
    bits = BitReader(segment)
    flags, sync = bits.read(2), bits.read(14)
    known = sync in _RESTART_SYNCS or sync == _OBJECT_RESTART_SYNC
    if entry & _NO_RESTART or flags != _RESTART_FLAGS or not known:
        raise FormatError("A substream has no restart header at a major sync")
    if sync == _OBJECT_RESTART_SYNC:
        return True
    bits.skip(16 + 4 + 4)
    channels = 1 + bits.read(4)
    length = bits.position - 2 + _AFTER_CHANNELS_BITS + 6 * channels + 8
    return restart_ok(BitReader(segment, 2).read(length))
