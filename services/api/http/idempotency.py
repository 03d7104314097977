"""The key by which a request is done once however often it comes: the same at every facade."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER: Final = "Idempotency-Key"
WRONG: Final = "The idempotency key must have 1 to 255 printable ASCII characters."

_KEY = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)


def read_options(headers: Mapping[str, str]) -> Options | None:
    """How a request with these headers wants to be done; None for a key that cannot be kept."""
    key = headers.get(HEADER)
    if key is None:
        return AT_ONCE
    return Options(key=key) if _KEY.fullmatch(key) else None
