"""Etags (AIP-154): the version of a resource as a strong entity tag (RFC 9110 section 8.8.3)."""

from __future__ import annotations

import re
from typing import Final

from services.api.domain.errors import EtagMismatch

_ETAG: Final = re.compile(r'"([1-9][0-9]{0,17})"', re.ASCII)


def etag_of(version: int) -> str:
    """The etag of a resource that has this version."""
    return f'"{version}"'


def expected(etag: str) -> int | None:
    """The version that a caller expects; None if they expect none.

    Raises EtagMismatch for what never was an etag of ours.
    """
    if not etag:
        return None
    found = _ETAG.fullmatch(etag)
    if found is None:
        raise EtagMismatch
    return int(found[1])
