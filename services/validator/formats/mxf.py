"""MXF files: what sound they carry (SMPTE ST 377-1; IAB: SMPTE ST 2067-201)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adm.source import Source

PARTITION_KEY = bytes.fromhex("060e2b34020501010d01020101")
IAB, ADM, PCM = "IAB", "PCM with ADM", "PCM"
_LOCAL_SET = bytes.fromhex("060e2b34025301")
_IAB_LABELS = (bytes.fromhex("0d010301021d"), bytes.fromhex("0e090604"))
_PCM_LABEL = bytes.fromhex("0d0103010206")
_SOUND_CODING_TAG = 0x3D06
_PACK_BYTES = 88
_LABEL_BYTES = 16
_MAX_LABELS = 64
_MAX_SETS = 4096
_ADM_WITHIN = 4 << 20


def read_sound(source: Source) -> str:
    """Return IAB, ADM or PCM; empty when the file names no sound that is known.

    The essence containers of the header partition count, and the sound descriptors' coding.
    """
    found = ""
    try:
        for label in _labels(source):
            if label[8:].startswith(_IAB_LABELS):
                return IAB
            if label[8:].startswith(_PCM_LABEL):
                found = PCM
    except FormatError:
        pass  # what could be read of a damaged header still names the file
    if found and b"audioFormatExtended" in source.peek(0, _ADM_WITHIN):
        return ADM
    return found


def _labels(source: Source) -> Iterator[bytes]:
    """Yield the labels of the partition pack, then the sound codings of the header's sets."""
    start, size = _value(source, 0)
    count = min(int.from_bytes(source.read(start + 80, 4)), _MAX_LABELS)
    for index in range(count):
        yield source.read(start + _PACK_BYTES + index * _LABEL_BYTES, _LABEL_BYTES)
    position = start + size
    for _ in range(_MAX_SETS):
        key = source.peek(position, _LABEL_BYTES)
        start, size = _value(source, position)
        if key.startswith(_LOCAL_SET):
            yield from _codings(source.read(start, size))
        position = start + size


def _value(source: Source, position: int) -> tuple[int, int]:
    """Return where the value of a KLV triplet starts, and its size (SMPTE ST 336)."""
    at = position + _LABEL_BYTES
    first = source.read(at, 1)[0]
    if first < 0x80:  # noqa: PLR2004 - the short form of BER
        return at + 1, first
    width = first & 0x7F
    if not 1 <= width <= 8:  # noqa: PLR2004 - the longest that SMPTE ST 336 allows
        raise FormatError("A length that cannot be", at)
    return at + 1 + width, int.from_bytes(source.read(at + 1, width))


def _codings(items: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 <= len(items):
        tag, size = int.from_bytes(items[at : at + 2]), int.from_bytes(items[at + 2 : at + 4])
        if tag == _SOUND_CODING_TAG:
            yield items[at + 4 : at + 4 + size]
        at += 4 + size
