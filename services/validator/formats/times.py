"""Times of the audio definition model, as whole numbers of their smallest unit."""

from __future__ import annotations

from functools import lru_cache

UNITS_PER_SECOND = 100_000
_WHOLE = len("hh:mm:ss.")
_DECIMALS = 5
_SIXTY = 60


def parse_time(text: str) -> int | None:
    """Return ``hh:mm:ss.fffff`` in units of 1/100,000 s (ITU-R BS.2076-0 §3), None if it is not."""
    seconds, fraction = _parse_seconds(text[:_WHOLE]), text[_WHOLE:]
    well_formed = len(fraction) == _DECIMALS and fraction.isdecimal() and fraction.isascii()
    return seconds + int(fraction) if seconds is not None and well_formed else None


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
