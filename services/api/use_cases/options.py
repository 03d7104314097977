"""How a change is to be made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``key``: for 24 hours the same request with the same key gets the first answer again.

    ``validate_only``: check everything and answer as usual, but change nothing.
    """

    key: str = ""
    validate_only: bool = False


AT_ONCE = Options()
