"""Clocks that are wrong: what to start a program with so that it lives in another time.

Only the wall clock is wrong; time passes as it does for everybody else.
"""

from __future__ import annotations

from pathlib import Path

import libfaketime  # type: ignore[import-untyped] # it has no types

_LIBRARY = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"


def wrong_by(offset: str) -> dict[str, str]:
    """The environment of a program whose clock is wrong by so much: ``-30s``, ``+2h``."""
    return {
        "LD_PRELOAD": str(_LIBRARY),
        "FAKETIME": offset,
        # Else waiting for a lock, whose end is a moment of the monotonic clock, would never end.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # It mends what this C library does not have, and makes every wait for Python's lock spin.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
