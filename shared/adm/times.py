"""Times of the audio definition model, as whole numbers of their smallest unit."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS_PER_SECOND = 100_000
_WHOLE = len("hh:mm:ss.")
_DECIMALS = 5
_SIXTY = 60


def parse_time(text: str) -> int | None:
    """Return ``hh:mm:ss.fffff`` in units of 1/100,000 s (ITU-R BS.2076-0 §3), None if it is not."""
    seconds, fraction = _parse_seconds(text[:_WHOLE]), text[_WHOLE:]
    well_formed = len(fraction) == _DECIMALS and fraction.isdecimal() and fraction.isascii()
    return seconds + int(fraction) if seconds is not None and well_formed else None


def parse_times(texts: Sequence[str]) -> list[int] | None:
    """Return many times at once, None if one of them is malformed."""
    wholes = [_parse_seconds(text[:_WHOLE]) for text in texts]
    fractions = [text[_WHOLE:] for text in texts]
    digits = "".join(fractions)
    if not (digits.isdecimal() and digits.isascii() and {*map(len, fractions)} == {_DECIMALS}):
        return None
    found = [
        whole + int(fraction)
        for whole, fraction in zip(wholes, fractions, strict=True)
        if whole is not None
    ]
    return found if len(found) == len(texts) else None


# Blocks are many in a second.
@lru_cache(maxsize=256)
def _parse_seconds(text: str) -> int | None:
    hours, minutes, seconds = text[:2], text[3:5], text[6:8]
    digits = hours + minutes + seconds
    if text[2::3] != "::." or not (len(text) == _WHOLE and digits.isdecimal() and digits.isascii()):
        return None
    minute, second = int(minutes), int(seconds)
    if minute >= _SIXTY or second >= _SIXTY:
        return None
    return ((int(hours) * _SIXTY + minute) * _SIXTY + second) * UNITS_PER_SECOND
