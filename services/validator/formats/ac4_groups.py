"""Substream groups: what an AC-4 presentation is made of (ETSI TS 103 190-2 §6.2.1.6-§6.2.1.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.ac4_bits import bounded, escaped, substream_index

if TYPE_CHECKING:
    from services.validator.formats.bits import BitReader

STEREO = 1
FIRST_IMMERSIVE, LAST_IMMERSIVE = 11, 14
_FIRST_LONG_MODE = 13
# ``add_ch_base`` follows the 7-channel modes 5/2/0 to 3/2/2.1.
_WITH_BASE = range(7, 11)
_IMMERSIVE_STEREO = {5: False, 6: True}
_OBJECTS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 5}


@dataclass(frozen=True, slots=True)
class Substream:
    """One substream: channels of a mode (None: objects), or ``objects`` objects besides an LFE.

    ``from_atmos`` is for immersive stereo only, None otherwise: whether Atmos was rendered.
    """

    channel_mode: int | None = None
    from_atmos: bool | None = None
    a_joc: bool = False
    objects: int = 0
    lfe: bool = False

    @property
    def immersive(self) -> bool:
        """Whether it is of channels, some of them overhead."""
        return self.channel_mode is not None and self.channel_mode >= FIRST_IMMERSIVE


@dataclass(frozen=True, slots=True)
class GroupContext:
    """What a group's syntax depends on: 48 kHz or not, frames in one, presentation version 2."""

    is_48_khz: bool
    frame_rate_factor: int
    immersive_stereo: bool


Group = tuple[Substream, ...]


def parse_group(bits: BitReader, context: GroupContext) -> Group:
    """Read ``ac4_substream_group_info``; raises FormatError when it is cut off."""
    present, has_extension = bits.flag(), bits.flag()
    count = 1 if bits.flag() else bounded(bits, 2 + escaped(bits, 2, 2))
    channel_coded = bits.flag()
    if not channel_coded and bits.flag():
        bits.skip(1)
        _skip_index(bits, present=present)
    substreams = []
    for _ in range(count):
        substreams.append(_substream(bits, context, channel_coded=channel_coded))
        _skip_rates(bits, context, substreams[-1])
        _skip_index(bits, present=present)
        _skip_index(bits, present=present and has_extension)
    if bits.flag():
        _skip_content_type(bits)
    return tuple(substreams)


def _substream(bits: BitReader, context: GroupContext, *, channel_coded: bool) -> Substream:
    if channel_coded:
        return _channels(bits, immersive_stereo=context.immersive_stereo)
    return _a_joc(bits) if bits.flag() else _objects(bits)


def _channels(bits: BitReader, *, immersive_stereo: bool) -> Substream:
    mode = _channel_mode(bits)
    if immersive_stereo and mode in _IMMERSIVE_STEREO:
        return Substream(STEREO, from_atmos=_IMMERSIVE_STEREO[mode])
    if FIRST_IMMERSIVE <= mode <= LAST_IMMERSIVE:
        bits.skip(4)
    return Substream(mode)


def _channel_mode(bits: BitReader) -> int:
    """Read ``channel_mode``, 1 to 9 bits long (§6.3.2.7.2)."""
    if not bits.flag():
        return 0
    if not bits.flag():
        return 1
    short = bits.read(2)
    if short < 0b11:  # noqa: PLR2004 - 1100 to 1110
        return 2 + short
    middle = bits.read(3)
    if middle < 0b110:  # noqa: PLR2004 - 1111000 to 1111101
        return 5 + middle
    if middle == 0b110:  # noqa: PLR2004 - 11111100 and 11111101
        return 11 + bits.read(1)
    return _FIRST_LONG_MODE + escaped(bits, 2, 2)


def _a_joc(bits: BitReader) -> Substream:
    lfe = bits.flag()
    if not bits.flag():
        _skip_assignment(bits, 1 + bits.read(4))
    if bits.flag():
        _skip_common_data(bits)
    objects = 1 + escaped(bits, 4, 3)
    _skip_assignment(bits, objects)
    return Substream(a_joc=True, objects=objects, lfe=lfe)


def _objects(bits: BitReader) -> Substream:
    objects, lfe = _OBJECTS.get(bits.read(3), 0), False
    if bits.flag():
        lfe = bits.flag()
    elif bits.flag():
        if bits.flag():
            _skip_bed(bits)
    elif bits.flag():
        bits.skip_if(3)
    else:
        bits.skip(8 * bits.read(4))
    return Substream(objects=objects, lfe=lfe)


def _skip_bed(bits: BitReader) -> None:
    if bits.flag():
        bits.skip(3)
    else:
        bits.skip(17 if bits.flag() else 10)


def _skip_assignment(bits: BitReader, signals: int) -> None:
    """Pass over ``bed_dyn_obj_assignment`` of so many signals."""
    if bits.flag():
        return
    if bits.flag() or bits.flag():
        bits.skip(3)  # an intermediate spatial format, or a code for a usual bed
    elif bits.flag():
        bits.skip(17 if bits.flag() else 10)
    else:
        bits.skip(4 * (1 + bits.read((signals - 1).bit_length())))


def _skip_common_data(bits: BitReader) -> None:
    """Pass over ``oamd_common_data``."""
    if not bits.flag():
        bits.skip(5)
    bits.skip(1)
    if bits.flag():
        bits.skip(8 * (1 + escaped(bits, 1, 2)))


def _skip_rates(bits: BitReader, context: GroupContext, substream: Substream) -> None:
    if context.is_48_khz:
        bits.skip_if(1)
    if bits.flag() and bits.read(3) & 1:
        bits.skip(2)  # an odd bitrate_indicator is two bits longer
    if substream.channel_mode in _WITH_BASE:
        bits.skip(1)
    bits.skip(context.frame_rate_factor)


def _skip_index(bits: BitReader, *, present: bool) -> None:
    if present:
        substream_index(bits)


def _skip_content_type(bits: BitReader) -> None:
    bits.skip(3)
    if bits.flag():
        bits.skip(17 if bits.flag() else 8 * bits.read(6))
