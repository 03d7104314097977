"""Being told to stop."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def told_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at each SIGTERM and SIGINT.

    Afterwards the process is about to end and hears them no more: one that came while the event
    loop is being closed would find its pipe closed, and a later one would kill what ends well.
    """
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
