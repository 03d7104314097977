"""The dac4 box: what an MP4 file says about its AC-4 track (ETSI TS 103 190-2 Annex E)."""

from __future__ import annotations

from dataclasses import dataclass

from services.validator.formats.bits import BitReader

_SINGLE_GROUP = 31
_EMDF_ONLY = 6
_GROUPS = {0: 2, 1: 2, 2: 2, 3: 3, 4: 3}
_VARIABLE_GROUPS = 5
_IMMERSIVE_MODES = range(11, 15)


@dataclass(frozen=True, slots=True)
class Presentation:
    """One presentation: its decoder level, and whether objects make it (A-JOC: joint coded)."""

    version: int
    level: int = 0
    object_based: bool = False
    a_joc: bool = False
    atmos_indicator: bool = False


@dataclass(frozen=True, slots=True)
class Dac4:
    """The box; ``sample_rate`` in hertz, ``frame_rate_index`` as in the frames."""

    bitstream_version: int
    sample_rate: int
    frame_rate_index: int
    presentations: tuple[Presentation, ...]


def parse_dac4(payload: bytes) -> Dac4:
    """Read the box; raises FormatError when it is cut off."""
    bits = BitReader(payload)
    bits.skip(3)
    version, rate = bits.read(7), 48_000 if bits.flag() else 44_100
    frame_rate_index, count = bits.read(4), bits.read(9)
    if version > 1 and bits.flag():
        bits.skip(16)
        bits.skip_if(128)
    bits.skip(66)
    bits.align()
    presentations = tuple(_presentation(bits) for _ in range(count))
    return Dac4(version, rate, frame_rate_index, presentations)


def _presentation(bits: BitReader) -> Presentation:
    version, size = bits.read(8), bits.read(8)
    if size == 0xFF:  # noqa: PLR2004 - escape
        size += bits.read(16)
    body = BitReader(bits.read_bytes(size))
    return _parse_body(body, version) if version in (1, 2) else Presentation(version)


def _parse_body(bits: BitReader, version: int) -> Presentation:
    config = bits.read(5)
    if config == _EMDF_ONLY:
        return Presentation(version)
    level = bits.read(3)
    bits.skip_if(5)
    bits.skip(19)
    _skip_channel_mode(bits)
    if bits.flag():
        bits.skip_if(2)
    if bits.flag():
        bits.skip(1)
        bits.skip(8 * bits.read(8))
    groups = [_group(bits) for _ in range(_group_count(bits, config))]
    return Presentation(
        version,
        level,
        object_based=any(objects for objects, _ in groups),
        a_joc=any(a_joc for _, a_joc in groups),
        atmos_indicator=_atmos_indicator(bits),
    )


def _skip_channel_mode(bits: BitReader) -> None:
    if bits.flag():
        if bits.read(5) in _IMMERSIVE_MODES:
            bits.skip(3)
        bits.skip(24)


def _group_count(bits: BitReader, config: int) -> int:
    if config == _SINGLE_GROUP:
        return 1
    bits.skip(1)
    if config == _VARIABLE_GROUPS:
        return bits.read(3) + 2
    if config not in _GROUPS:
        bits.skip(8 * bits.read(7))
    return _GROUPS.get(config, 0)


def _group(bits: BitReader) -> tuple[bool, bool]:
    """Return whether a substream group renders objects, and whether by A-JOC."""
    bits.skip(2)
    channel_coded, count = bits.flag(), bits.read(8)
    substreams = [_substream(bits, channel_coded=channel_coded) for _ in range(count)]
    if bits.flag():
        bits.skip(3)
        if bits.flag():
            bits.skip(8 * bits.read(6))
    return bool(substreams) and not channel_coded, any(substreams)


def _substream(bits: BitReader, *, channel_coded: bool) -> bool:
    """Pass over a substream and return whether it is A-JOC."""
    bits.skip(2)
    bits.skip_if(5)
    if channel_coded:
        bits.skip(24)
        return False
    a_joc = bits.flag()
    if a_joc:
        if not bits.flag():
            bits.skip(4)
        bits.skip(6)
    bits.skip(4)
    return a_joc


def _atmos_indicator(bits: BitReader) -> bool:
    bits.skip(1)
    if bits.flag():
        bits.skip(15 * bits.read(7))
    bits.skip_if(66)
    if bits.flag():
        return False  # alternative presentation names have a length that only the TOC tells
    bits.align()
    # The last byte is optional: early encoders end the presentation before it (Annex E.10).
    return bits.left > 0 and bits.read(2) & 1 == 1
