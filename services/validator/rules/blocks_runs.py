"""What clears many blocks at once of what a rule for Block could find in one of them.

A check may fail blocks that are fine, which are then judged singly; it never clears one that is
not. A rule without a check here has all blocks judged singly.
"""

from __future__ import annotations

from itertools import chain
from operator import add, sub
from typing import TYPE_CHECKING

from services.validator.rules.blocks_order import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.adm.blocks import Run

_LENGTH = len("AB_yyyyxxxx_zzzzzzzz")


def is_numbered(run: Run) -> bool:
    """Whether all identifiers are those of the channel's next blocks."""
    prefix = f"AB_{run.channel[3:]}_"
    numbers = range(run.index, run.index + len(run.identifiers))
    right = "".join([f"{prefix}{number:08x}" for number in numbers])
    stated = "".join(run.identifiers)
    if {*map(len, run.identifiers)} != {_LENGTH}:
        return False
    return stated == right or stated.upper() == right.upper()


def is_contiguous(run: Run) -> bool:
    """Whether each block begins where the one before it ends."""
    ends = map(add, run.starts, run.durations)
    first = run.starts[0] if run.previous_end is None else run.previous_end
    gaps: list[int] = list(map(sub, run.starts, chain([first], ends)))
    return min(gaps) >= -ROUNDING and max(gaps) <= ROUNDING


def is_in_room(run: Run) -> bool:
    """Whether all coordinates are from -1 to 1."""
    return all(min(column) >= -1 and max(column) <= 1 for column in run.numbers)


def is_later(run: Run) -> bool:
    """Whether the blocks come after the first one of the channel."""
    return run.index > 1


def is_plain(_: Run) -> bool:
    """Whether all times and numbers could be read: the run would not be one otherwise."""
    return True


CLEARED: dict[str, Callable[[Run], bool]] = {
    "block_number_malformed": is_plain,
    "block_time_malformed": is_plain,
    "block_parent_wrong": is_numbered,
    "block_sequence_wrong": is_numbered,
    "block_start_wrong": is_later,
    "blocks_not_contiguous": is_contiguous,
    "position_out_of_range": is_in_room,
}
