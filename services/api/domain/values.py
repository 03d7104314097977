"""Values that clients write: how they must look and how they are kept."""

from __future__ import annotations

import re

_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


def parse_isrc(text: str) -> str | None:
    """The ISRC in its stored form: 12 characters, upper case (ISO 3901); None if it is none."""
    upper = text.upper()
    return upper if _ISRC.fullmatch(upper) else None


def parse_md5(text: str) -> str | None:
    """The checksum in its stored form: 32 lower-case hexadecimal digits; None if it is none."""
    lower = text.lower()
    return lower if _MD5.fullmatch(lower) else None
