"""Fills memory from the body of a response, watching its rate and ours."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from services.downloader.errors import Transient
from services.downloader.limits import SpeedGauge

if TYPE_CHECKING:
    from services.downloader.bandwidth import Bandwidth
    from services.downloader.limits import Limits
    from services.downloader.transport import Response
    from shared.origin.stop import Stop

# How long bytes of a slow origin gather before they are passed on.
_GATHER_SECONDS = 0.25


class Filling:
    """One body being read.

    ``ended`` tells that there is no more of it, ``trouble`` why it broke off, ``waited`` how many
    seconds ``size`` bytes were waited for.
    """

    def __init__(
        self, response: Response, limits: Limits, bandwidth: Bandwidth, stop: Stop
    ) -> None:
        self._response = response
        self._gauge = SpeedGauge(limits)
        self._bandwidth = bandwidth
        self._stop = stop
        self.ended = False
        self.trouble: Transient | None = None
        self.waited = 0.0
        self.size = 0

    @property
    def rate(self) -> float:
        """Bytes a second that the origin sends, our own pauses aside."""
        return self.size / max(self.waited, 1e-6)

    def fill(self, memory: memoryview, *, eager: bool = False) -> int:
        """Return how many bytes were put at the start of the memory.

        Fewer than fit at the body's end, in trouble, after a moment, or if ``eager`` as soon as
        there are any. Raises Permanent, Stopped.
        """
        self._stop.check()
        start = monotonic()
        until = start if eager else start + _GATHER_SECONDS
        filled = 0
        try:
            while filled < len(memory) and not self.ended:
                got = self._response.read_into(memory[filled:], until)
                filled += got
                self.ended = not got
                if monotonic() >= until:
                    break
            self._gauge.count(filled, monotonic() - start)
        except Transient as error:
            self.trouble = error
        self.waited += monotonic() - start
        self.size += filled
        self._bandwidth.take(filled, self._stop)
        return filled
