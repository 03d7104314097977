"""Imports without what makes the start of a process longer than it has to be."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def lean_imports(*without: str) -> Iterator[None]:
    """Import without extras that libraries take along whenever they happen to be installed.

    What is imported meanwhile finds those not installed; who imported them before has them still.
    Garbage is not looked for: what is imported stays, and every look would go through all of it
    again. It is not looked at afterwards either.
    """
    hidden = [name for name in without if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python notes what is not there
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in hidden:
            del sys.modules[name]
