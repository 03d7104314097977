"""Imports without the extras that a library takes along whenever they happen to be installed."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let what is imported meanwhile find these not installed; who imported them has them still."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python notes what is not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
