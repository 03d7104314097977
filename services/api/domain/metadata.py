"""Metadata: what clients want to keep with something, as JSON."""

from __future__ import annotations

import json
from typing import Final

MAX_BYTES: Final = 16 * 1024
"""As JSON in UTF-8."""
MAX_DEPTH: Final = 8
MAX_NUMBER: Final = 2**63


def is_metadata(value: object) -> bool:
    """Whether this is a JSON object that both databases keep as it is, and not too large."""
    if not isinstance(value, dict) or not _is_kept(value, MAX_DEPTH):
        return False
    return len(json.dumps(value, ensure_ascii=False).encode()) <= MAX_BYTES


def _is_kept(value: object, depth: int) -> bool:
    match value:
        case dict():
            inside = (*value.keys(), *value.values())
            return depth > 0 and all(_is_kept(each, depth - 1) for each in inside)
        case list():
            return depth > 0 and all(_is_kept(each, depth - 1) for each in value)
        case str():
            return _is_text(value)
        case int() | float():
            # What is larger comes back as another number, or cannot be written at all.
            return -MAX_NUMBER <= value < MAX_NUMBER
        case _:
            return value is None


def _is_text(text: str) -> bool:
    """Whether PostgreSQL can keep it: no NUL, and nothing that is no Unicode."""
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False
