"""Values that clients write: how they must look and how they are kept."""

from __future__ import annotations

import re
from unicodedata import category

# Matched before the case is changed: upper() makes "SS" of a sharp s.
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", re.ASCII | re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


def parse_isrc(text: str) -> str | None:
    """The ISRC in its stored form: 12 characters, upper case (ISO 3901); None if it is none."""
    return text.upper() if _ISRC.fullmatch(text) else None


def parse_md5(text: str) -> str | None:
    """The checksum in its stored form: 32 lower-case hexadecimal digits; None if it is none."""
    lower = text.lower()
    return lower if _MD5.fullmatch(lower) else None


# Controls, surrogates, line and paragraph separators (Unicode general categories).
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_one_line(text: str) -> bool:
    """Whether a text can be shown on one line.

    Every kind of space may be in it (the ideographic one stands in Japanese titles), and joiners
    too (Persian and Hindi words need them).
    """
    return not any(category(character) in _UNPRINTABLE for character in text)
