"""Imports without what makes the start of a process longer than it has to be."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let what is imported meanwhile find these not installed; who imported them has them still.

    They are extras that a library takes along whenever they happen to be there.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment] # how Python notes what is not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def lean_imports(*extras: str) -> Iterator[None]:
    """Import what a process is made of, without these extras; for the beginning of a program.

    Garbage is not looked for: what is imported stays, and every look would go through all of it
    again. Nor is it looked at ever after.
    """
    gc.disable()
    try:
        with without(*extras):
            yield
    finally:
        gc.freeze()
        gc.enable()
