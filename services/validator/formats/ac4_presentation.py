"""What an AC-4 presentation is, and whether it says that it comes from Atmos.

``ac4_presentation_substream`` is ETSI TS 103 190-2 §6.2.3; the Atmos indicator is the first bit of
its additional data (as in the last byte of a presentation in dac4, Annex E.10).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from services.validator.formats.ac4_bits import bounded, escaped
from services.validator.formats.bits import BitReader

if TYPE_CHECKING:
    from services.validator.formats.ac4_groups import Substream
    from services.validator.formats.ac4_toc import Presentation, Toc

_DEFAULT_NAME_BYTES = 32


class Coding(StrEnum):
    """How a presentation carries its sound, from the most to the least immersive."""

    OBJECTS = "objects"
    IMMERSIVE_CHANNELS = "channels with height"
    STEREO_FROM_ATMOS = "immersive stereo from Atmos"
    CHANNELS = "channels"


def substreams_of(toc: Toc, presentation: Presentation) -> list[Substream]:
    """Return all substreams of a presentation's groups."""
    return [each for group in toc.groups_of(presentation) for each in group]


def coding_of(toc: Toc, presentation: Presentation) -> Coding:
    """Say how a presentation carries its sound."""
    substreams = substreams_of(toc, presentation)
    if any(each.channel_mode is None for each in substreams):
        return Coding.OBJECTS
    if any(each.immersive for each in substreams):
        return Coding.IMMERSIVE_CHANNELS
    if any(each.from_atmos for each in substreams):
        return Coding.STEREO_FROM_ATMOS
    return Coding.CHANNELS


def says_atmos(frame: bytes, toc: Toc, presentation: Presentation) -> bool:
    """Whether the presentation's own substream in this frame has the Atmos indicator.

    Raises FormatError when the substream is cut off.
    """
    index = presentation.substream
    if index is None or index >= len(toc.spans):
        return False
    start, end = toc.spans[index]
    if start == end:
        return False
    bits = BitReader(frame[start:end])
    if presentation.alternative:
        _skip_alternative(bits, len(substreams_of(toc, presentation)))
    if not bits.flag():
        return False
    escaped(bits, 4, 2)
    bits.align()
    return bits.flag()


def _skip_alternative(bits: BitReader, substreams: int) -> None:
    if bits.flag():
        bits.skip(8 * (bits.read(5) if bits.flag() else _DEFAULT_NAME_BYTES))
    for _ in range(bounded(bits, 1 + escaped(bits, 2, 2))):
        bits.skip(7)
        bits.skip_if(4)
        bits.skip_if(6)
        bits.skip_if(5)
        for _ in range(substreams):
            if bits.flag():
                escaped(bits, 1, 2)
