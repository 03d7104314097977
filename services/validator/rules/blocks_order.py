"""In which order the blocks of a channel come: their identifiers and their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.adm.blocks import Block
from shared.adm.model import OBJECTS
from shared.adm.times import UNITS_PER_SECOND, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.validator.profile import Profile

_BLOCKS = "Dolby Atmos Master ADM Profile v1.0, audioBlockFormat; ITU-R BS.2076 §5.4.3"
_TIMES = ("rtime", "duration")
# Five decimals are coarser than a sample, so that times may be off by one unit of the last one.
ROUNDING = 1


@rule(
    Block,
    "block_time_malformed",
    spec=_BLOCKS,
    fix="Write rtime and duration as hh:mm:ss.fffff, with five decimals.",
)
def block_time_malformed(block: Block, _: Profile) -> Iterable[Finding]:
    """Times have hours, minutes, seconds and five decimals; anything else is read in several ways.

    Minutes and seconds are below 60.
    """
    if block.end is not None or block.form.kind != OBJECTS:
        return ()
    return [
        Finding(
            detail=f"The {name} is no time.",
            location=block.location,
            measured=block.attributes[name],
            allowed="hh:mm:ss.fffff",
        )
        for name in _TIMES
        if name in block.attributes and parse_time(block.attributes[name]) is None
    ]


@rule(
    Block,
    "block_parent_wrong",
    spec=_BLOCKS,
    fix="Give each block its channel's number: AB_yyyyxxxx_zzzzzzzz in the channel AC_yyyyxxxx.",
)
def block_parent_wrong(block: Block, _: Profile) -> Iterable[Finding]:
    """The identifier of a block begins with the number of the channel that it is in."""
    right = f"AB_{block.channel[3:]}_"
    if block.identifier.startswith(right) or not block.identifier or not block.form.kind:
        return ()
    if block.identifier.upper().startswith(right.upper()):
        return ()
    return [
        Finding(
            detail=f"The block is in the channel {block.channel}, but not named after it.",
            location=block.location,
            measured=block.identifier,
            allowed=f"{right}{block.index:08x}",
        )
    ]


@rule(
    Block,
    "block_sequence_wrong",
    spec=_BLOCKS,
    fix="Number the blocks of each channel 00000001, 00000002 and so on, in hexadecimal digits.",
)
def block_sequence_wrong(block: Block, _: Profile) -> Iterable[Finding]:
    """The blocks of a channel are counted from 1 without a gap, so that none is missing."""
    identifier = block.identifier
    number = f"{block.index:08x}"
    if not identifier or not block.form.kind or identifier[12:].lower() == number:
        return ()
    return [
        Finding(
            detail=f"The block is number {block.index} of its channel, but not named so.",
            location=block.location,
            measured=identifier[12:] or "no number",
            allowed=number,
        )
    ]


@rule(
    Block,
    "block_start_wrong",
    spec=_BLOCKS,
    fix="Begin the first block of each object at 00:00:00.00000.",
)
def block_start_wrong(block: Block, _: Profile) -> Iterable[Finding]:
    """Before its first block an object is nowhere, and a renderer must guess."""
    if block.index != 1 or block.form.kind != OBJECTS or not block.start:
        return ()
    return [
        Finding(
            detail="The first block does not begin with its object.",
            location=block.location,
            measured=_seconds(block.start),
            allowed=_seconds(0),
        )
    ]


@rule(
    Block,
    "blocks_not_contiguous",
    spec=_BLOCKS,
    fix="Let each block begin where the one before it ends: rtime + duration is the next rtime.",
)
def blocks_not_contiguous(block: Block, _: Profile) -> Iterable[Finding]:
    """In a gap between blocks an object is nowhere, in an overlap it is in two places."""
    end, start = block.previous_end, block.start
    if end is None or start is None or -ROUNDING <= start - end <= ROUNDING:
        return ()
    if block.form.kind != OBJECTS:
        return ()
    return [
        Finding(
            detail=f"There is {'a gap' if start > end else 'an overlap'} before the block.",
            location=block.location,
            measured=_seconds(start),
            allowed=_seconds(end),
        )
    ]


def _seconds(units: int) -> str:
    return f"{units / UNITS_PER_SECOND:.5f} s"
