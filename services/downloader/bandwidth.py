"""One bound on the rate of all downloads of a process."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.origin.stop import Stop

# How much time may have been saved up: short, so that a pause does not end in a flood.
_BURST_SECONDS = 0.25


class Bandwidth:
    """A token bucket of ``rate`` bytes a second, 0 for no bound; for any number of threads.

    Whoever takes more than there is pays the debt by waiting, so that takers of any size are
    served in order and at the same rate.
    """

    def __init__(self, rate: int = 0, *, clock: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._paid_until = clock() - _BURST_SECONDS

    def take(self, size: int, stop: Stop) -> None:
        """Wait until so many bytes are paid for. Raises Stopped."""
        if self.rate and (wait := self.owe(size)) > 0:
            stop.wait(wait)

    def owe(self, size: int) -> float:
        """Count so many bytes and return the seconds until they are paid for."""
        with self._lock:
            now = self._clock()
            self._paid_until = max(self._paid_until, now - _BURST_SECONDS) + size / self.rate
            return self._paid_until - now
