"""The table of contents at the head of each AC-4 frame (ETSI TS 103 190-2 §6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.formats.ac4_bits import (
    bounded,
    counted,
    escaped,
    substream_index,
    unary,
    variable_bits,
)
from services.validator.formats.ac4_groups import Group, GroupContext, parse_group
from services.validator.formats.bits import BitReader
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

IMMERSIVE_STEREO_VERSION = 2
_FIRST_WITH_GROUPS = 2
_EMDF_ONLY = 6
_ARBITRARY = 5
_GROUPS = {0: 2, 1: 2, 2: 2, 3: 3, 4: 3}
_DOUBLE_RATES = {0, 1, 7, 8, 9}
_QUADRUPLE_RATES = {2, 3, 4}
_FRACTION_RATES = {5, 6, 7, 8, 9}
_LONG_FRACTION_RATES = {10, 11, 12}
_PROTECTION_BITS = (0, 8, 32, 128)


@dataclass(frozen=True, slots=True)
class Presentation:
    """One way to hear the programme: its decoder level and the groups it is made of.

    ``substream`` is the index of its own metadata, None when it has none (EMDF only).
    """

    version: int
    level: int = 0
    groups: tuple[int, ...] = ()
    substream: int | None = None
    alternative: bool = False


@dataclass(frozen=True, slots=True)
class Toc:
    """What one frame holds; ``spans`` are the substreams as (first byte, byte after it).

    ``sample_rate`` is in hertz. Frames of bitstream versions 0 and 1, which know channels only
    (ETSI TS 103 190-1), have no presentations here.
    """

    bitstream_version: int
    sequence_counter: int
    sample_rate: int
    frame_rate_index: int
    i_frame: bool
    presentations: tuple[Presentation, ...] = ()
    groups: tuple[Group, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def parameters(self) -> tuple[object, ...]:
        """What must not change from frame to frame."""
        rates = (self.bitstream_version, self.sample_rate, self.frame_rate_index)
        return (*rates, self.presentations, self.groups)

    def groups_of(self, presentation: Presentation) -> list[Group]:
        """Return the groups that a presentation is made of."""
        return [self.groups[index] for index in presentation.groups]


def parse_toc(frame: bytes) -> Toc:
    """Read the table of a raw frame.

    Raises FormatError when it is cut off, or when its substreams do not fit into the frame.
    """
    bits = BitReader(frame)
    version = escaped(bits, 2, 2)
    counter = bits.read(10)
    if bits.flag() and bits.read(3):
        bits.skip(2)
    is_48_khz, rate_index, i_frame = bits.flag(), bits.read(4), bits.flag()
    head = (version, counter, 48_000 if is_48_khz else 44_100, rate_index, i_frame)
    count = _presentation_count(bits)
    payload_base = 1 + escaped(bits, 5, 3) if bits.flag() else 0
    if version < _FIRST_WITH_GROUPS:
        return Toc(*head)
    if bits.flag():
        bits.skip(16)
        bits.skip_if(128)
    infos = [_presentation(bits, rate_index) for _ in range(count)]
    presentations = tuple(presentation for presentation, _ in infos)
    factor = max((factor for _, factor in infos), default=1)
    groups = _groups(bits, presentations, is_48_khz=is_48_khz, factor=factor)
    return Toc(*head, presentations, groups, _spans(bits, payload_base, len(frame)))


def _presentation_count(bits: BitReader) -> int:
    if bits.flag():
        return 1
    return bounded(bits, 2 + variable_bits(bits, 2)) if bits.flag() else 0


def _presentation(bits: BitReader, rate_index: int) -> tuple[Presentation, int]:
    """Read ``ac4_presentation_v1_info``; return it and how many frames are in one."""
    config = None if bits.flag() else escaped(bits, 3, 2)
    version = unary(bits)
    if config == _EMDF_ONLY:
        _skip_added_emdf(bits)
        return Presentation(version), 1
    level = bits.read(3)
    if bits.flag():
        variable_bits(bits, 2)
    factor = _frame_rate_factor(bits, rate_index)
    _skip_fraction(bits, rate_index, factor)
    _skip_emdf_info(bits)
    bits.skip_if(1)
    groups = _group_indices(bits, config)
    bits.skip(1)
    added_emdf, alternative = bits.flag(), bits.flag()
    bits.skip(1)
    own = substream_index(bits)
    if added_emdf:
        _skip_added_emdf(bits)
    return Presentation(version, level, groups, own, alternative), factor


def _group_indices(bits: BitReader, config: int | None) -> tuple[int, ...]:
    if config is None:
        return (escaped(bits, 3, 2),)
    bits.skip(1)
    if config == _ARBITRARY:
        count = bounded(bits, 2 + escaped(bits, 2, 2))
    elif config in _GROUPS:
        count = _GROUPS[config]
    else:
        skipped = bits.read(5)
        bits.skip(8 * (skipped + (variable_bits(bits, 2) << 5 if bits.flag() else 0)))
        count = 0
    return tuple(escaped(bits, 3, 2) for _ in range(count))


def _frame_rate_factor(bits: BitReader, rate_index: int) -> int:
    if rate_index in _DOUBLE_RATES:
        return 2 if bits.flag() else 1
    if rate_index in _QUADRUPLE_RATES and bits.flag():
        return 4 if bits.flag() else 2
    return 1


def _skip_fraction(bits: BitReader, rate_index: int, factor: int) -> None:
    if rate_index in _FRACTION_RATES and factor == 1:
        bits.skip(1)
    elif rate_index in _LONG_FRACTION_RATES:
        bits.skip_if(1)


def _skip_emdf_info(bits: BitReader) -> None:
    escaped(bits, 2, 2)
    escaped(bits, 3, 3)
    if bits.flag():
        substream_index(bits)
    primary, secondary = bits.read(2), bits.read(2)
    bits.skip(_PROTECTION_BITS[primary] + _PROTECTION_BITS[secondary])


def _skip_added_emdf(bits: BitReader) -> None:
    for _ in range(bounded(bits, counted(bits))):
        _skip_emdf_info(bits)


def _groups(
    bits: BitReader, presentations: Sequence[Presentation], *, is_48_khz: bool, factor: int
) -> tuple[Group, ...]:
    used = [index for each in presentations for index in each.groups]
    stereo = {
        index
        for each in presentations
        if each.version == IMMERSIVE_STEREO_VERSION
        for index in each.groups
    }
    return tuple(
        parse_group(bits, GroupContext(is_48_khz, factor, index in stereo))
        for index in range(bounded(bits, max(used, default=0) + 1))
    )


def _spans(bits: BitReader, payload_base: int, frame_bytes: int) -> tuple[tuple[int, int], ...]:
    """Read ``substream_index_table`` and lay the substreams out behind the table."""
    count = bounded(bits, counted(bits))
    sized = count > 1 or bits.flag()
    sizes = [_substream_size(bits) for _ in range(count)] if sized else []
    bits.align()
    position = bits.position // 8 + payload_base
    spans = []
    for size in sizes or [max(frame_bytes - position, 0)]:
        spans.append((position, position + size))
        position += size
    if position > frame_bytes:
        raise FormatError(f"Substreams end at byte {position} of a frame of {frame_bytes}")
    return tuple(spans)


def _substream_size(bits: BitReader) -> int:
    more, size = bits.flag(), bits.read(10)
    return size + (variable_bits(bits, 2) << 10 if more else 0)
