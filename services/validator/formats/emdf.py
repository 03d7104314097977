"""EMDF containers and the heads of their Atmos payloads (ETSI TS 102 366 Annex H, TS 103 420)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.bits import BitReader
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

SYNC = b"\x58\x38"
OAMD = 11
JOC = 14
_PROTECTION_BITS = (0, 8, 32, 128)
_STANDARD_BED = ((2, 0), (1, 0), (1, 1), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (1, 1))
# The sync word comes about by chance in every second frame; more than a few times it is junk.
_MAX_CANDIDATES = 64
_NON_STANDARD_LFE = (1 << 3) | (1 << 16)


@dataclass(frozen=True, slots=True)
class Oamd:
    """The head of object audio metadata: objects in all, channels of beds, LFEs among them."""

    object_count: int
    bed_channels: int
    lfe_channels: int


def find_payloads(frame: bytes) -> dict[int, bytes]:
    """Return the payloads, by id, of the container that carries Atmos; else of the first one.

    A container may start at any bit: all eight phases are searched, and only a candidate whose
    whole structure parses counts.
    """
    found: dict[int, bytes] = {}
    for payloads in _containers(frame):
        if OAMD in payloads or JOC in payloads:
            return payloads
        found = found or payloads
    return found


def _containers(frame: bytes) -> Iterator[dict[int, bytes]]:
    value, width = int.from_bytes(frame), len(frame)
    tried = 0
    for phase in range(8):
        shifted = ((value << phase) & ((1 << 8 * width) - 1)).to_bytes(width)
        at = shifted.find(SYNC)
        while at >= 0 and tried < _MAX_CANDIDATES:
            tried += 1
            # Two bytes may happen to look like the sync word: only a whole structure counts.
            with suppress(FormatError):
                yield _parse_container(shifted, at)
            at = shifted.find(SYNC, at + 1)


def _parse_container(data: bytes, at: int) -> dict[int, bytes]:
    end = 8 * (at + 4 + int.from_bytes(data[at + 2 : at + 4]))
    bits = BitReader(data, 8 * (at + 4))
    _extended(bits, 2, 2)
    _extended(bits, 3, 3)
    payloads: dict[int, bytes] = {}
    while kind := _extended(bits, 5, 5):
        _skip_config(bits)
        payloads[kind] = bits.read_bytes(_variable(bits, 8))
    primary, secondary = bits.read(2), bits.read(2)
    bits.skip(_PROTECTION_BITS[primary] + _PROTECTION_BITS[secondary])
    if primary == 0 or bits.position > end or end > 8 * len(data):
        raise FormatError("Not an EMDF container", at)
    return payloads


def _extended(bits: BitReader, width: int, step: int) -> int:
    value = bits.read(width)
    return value + _variable(bits, step) if value == (1 << width) - 1 else value


def _variable(bits: BitReader, width: int) -> int:
    """Read variable_bits (§H.2.2.2.6); raises FormatError past any sensible length."""
    value = bits.read(width)
    for _ in range(4):
        if not bits.flag():
            return value
        value = ((value + 1) << width) + bits.read(width)
    raise FormatError("A number too long to be real")


def _skip_config(bits: BitReader) -> None:
    """Pass over emdf_payload_config (§H.2.2.2.3)."""
    has_offset = bits.flag()
    bits.skip(12 * has_offset)
    if bits.flag():
        _variable(bits, 11)
    if bits.flag():
        _variable(bits, 2)
    bits.skip_if(8)
    if bits.flag():
        return
    aligned = not has_offset and bits.flag()
    bits.skip(2 * aligned + 7 * (has_offset or aligned))


def parse_oamd(payload: bytes) -> Oamd:
    """Read the programme assignment (TS 103 420 §5.5); raises FormatError when it is cut off."""
    bits = BitReader(payload)
    if bits.read(2) == 3:  # noqa: PLR2004 - escape to the extended version
        bits.skip(3)
    count = _count(bits)
    if bits.flag():
        lfe = bits.read(1)
        return Oamd(count, lfe, lfe)
    mask = bits.read(4)
    beds = _beds(bits) if mask & 1 else [(0, 0)]
    return Oamd(count, sum(bed for bed, _ in beds), sum(lfe for _, lfe in beds))


def _count(bits: BitReader) -> int:
    value = bits.read(5)
    return 1 + (value + bits.read(7) if value == 31 else value)  # noqa: PLR2004 - escape


def _beds(bits: BitReader) -> list[tuple[int, int]]:
    """Return channels and LFEs of each bed instance."""
    bits.skip(1)
    instances = bits.read(3) + 2 if bits.flag() else 1
    return [_bed(bits) for _ in range(instances)]


def _bed(bits: BitReader) -> tuple[int, int]:
    if bits.flag():
        return 1, 1
    if bits.flag():
        mask = bits.read(10)
        chosen = [pair for bit, pair in enumerate(_STANDARD_BED) if mask >> bit & 1]
        return sum(channels for channels, _ in chosen), sum(lfe for _, lfe in chosen)
    mask = bits.read(17)
    return mask.bit_count(), (mask & _NON_STANDARD_LFE).bit_count()


def parse_joc(payload: bytes) -> int:
    """Return how many objects joint object coding rebuilds; raises FormatError when cut off."""
    bits = BitReader(payload)
    bits.skip(3)
    return bits.read(6) + 1
