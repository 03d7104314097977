"""AC-4 frames: the synchronisation layer around them (ETSI TS 103 190-1 Annex G)."""

from __future__ import annotations

from services.validator.formats.crc16 import crc16
from shared.adm.source import FormatError

HEADER_BYTES = 7
_SYNC, _SYNC_WITH_CRC = b"\xac\x40", b"\xac\x41"
_SYNC_BYTES = 2
_SHORT_HEADER_BYTES = 4
_LONG_SIZE = 0xFFFF
_CRC_BYTES = 2


def frame_size(head: bytes) -> int:
    """Return the bytes of a whole frame, sync word and CRC included, from its first HEADER_BYTES.

    Raises FormatError when no frame starts here.
    """
    _check_sync(head)
    return _header_bytes(head) + _raw_size(head) + _crc_bytes(head)


def raw_frame(frame: bytes) -> bytes:
    """Return what the synchronisation layer wraps; raises FormatError as ``frame_size`` does."""
    _check_sync(frame)
    start = _header_bytes(frame)
    return frame[start : start + _raw_size(frame)]


def crc_ok(frame: bytes) -> bool:
    """Whether the frame's CRC holds; a frame without one has nothing that could be wrong."""
    if not frame.startswith(_SYNC_WITH_CRC):
        return True
    return crc16(frame[_SYNC_BYTES:]) == 0


def _check_sync(head: bytes) -> None:
    if not head.startswith((_SYNC, _SYNC_WITH_CRC)):
        raise FormatError("No AC-4 sync word is here")
    if len(head) < _header_bytes(head):
        raise FormatError("An AC-4 frame ends within its header")


def _header_bytes(head: bytes) -> int:
    return HEADER_BYTES if head[2:4] == b"\xff\xff" else _SHORT_HEADER_BYTES


def _raw_size(head: bytes) -> int:
    short = int.from_bytes(head[2:4])
    return int.from_bytes(head[4:HEADER_BYTES]) if short == _LONG_SIZE else short


def _crc_bytes(head: bytes) -> int:
    return _CRC_BYTES if head.startswith(_SYNC_WITH_CRC) else 0
