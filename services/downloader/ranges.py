"""The rest of a large file by several connections at once, put together in order."""

from __future__ import annotations

import random
import threading
from functools import partial
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING

from services.downloader import heads
from services.downloader.errors import Permanent, Transient
from services.downloader.filling import Filling
from services.downloader.gates import Busy
from services.downloader.hashing import BLOCK_BYTES
from services.downloader.window import Window
from shared.origin.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from services.downloader.bandwidth import Bandwidth
    from services.downloader.intake import Intake
    from services.downloader.limits import Limits, RangeLimits
    from services.downloader.transport import Response
    from services.downloader.versions import Version
    from services.downloader.window import Segment

    Open = Callable[[Mapping[str, str], Stop], AbstractContextManager[tuple[str, Response]]]

# A connection that takes this many times as long as the others for a segment is given up, but
# none before so many seconds.
_PATIENCE = 4
_PATIENCE_SECONDS = 5.0


def connections_for(rate: float, left: int, limits: RangeLimits, bandwidth: int) -> int:
    """Return how many connections should fetch ``left`` bytes when one brings ``rate`` a second.

    As many as together reach what can be hashed or the bound on all downloads (``bandwidth``, 0
    for none), whichever is less.
    """
    enough = min(limits.enough_rate, bandwidth or limits.enough_rate)
    wanted = ceil(enough / max(rate, 1.0))
    return max(1, min(wanted, limits.connections, left // limits.segment_bytes))


class WrongRange(Exception):  # noqa: N818 - a fact about the answer
    """The origin answered something else than the bytes that were asked for."""


class Ranges:
    """Fetches the rest of one version; ``open_response`` sends a GET for the file.

    The first trouble that a segment cannot get over ends all connections; what came before it, in
    order, is kept.
    """

    def __init__(
        self,
        open_response: Open,
        version: Version,
        limits: Limits,
        ranges: RangeLimits,
        bandwidth: Bandwidth,
    ) -> None:
        self._open = open_response
        self._version = version
        self._limits = limits
        self._ranges = ranges
        self._bandwidth = bandwidth
        self._stop = Stop()
        self._failing = threading.Lock()
        self._error: BaseException | None = None
        self._segment_seconds = 0.0

    def fetch(self, intake: Intake, connections: int, stop: Stop) -> None:
        """Bring the rest into the intake. Raises Transient, Stopped, and as Intake.keep.

        One stream is to go on after Transient; it has to begin anew if the origin was caught lying.
        """
        self._window = Window(
            intake.offset,
            self._version.total or 0,
            segment_bytes=self._ranges.segment_bytes,
            most=connections,
        )
        threads = [
            threading.Thread(target=self._work, name="range", daemon=True)
            for _ in range(connections)
        ]
        with stop.waking(self._stop.stop), self._stop.waking(self._window.end):
            try:
                for thread in threads:
                    thread.start()
                for segment in self._window.in_order():
                    memory = segment.memory
                    intake.keep(memory, partial(self._window.free, memory))
            finally:
                self._stop.stop()
                for thread in threads:
                    if thread.ident is not None:
                        thread.join()
        stop.check()
        self._raise_error(intake)

    def _raise_error(self, intake: Intake) -> None:
        match self._error:
            case None:
                return
            case WrongRange():
                intake.forget()
                raise Transient("origin_error", "The origin answered a range request wrongly.")
            case Permanent() as error:
                # Perhaps only so many connections are too many: one stream will tell.
                raise Transient(error.code, error.detail, measured=error.measured) from error
            case error:
                raise error

    def _work(self) -> None:
        try:
            while (segment := self._window.claim()) is not None:
                self._persist(segment)
                self._window.done(segment)
        except BaseException as error:  # noqa: BLE001 - the thread's edge: fetch() raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._failing:
            # Those that come after it come of it.
            self._error = self._error or error
        self._stop.stop()

    def _persist(self, segment: Segment) -> None:
        fruitless = 0
        start = monotonic()
        while segment.rest:
            reached = segment.got
            try:
                self._receive(segment)
            except Busy:
                continue
            except Transient as error:
                self._stop.check()
                fruitless = 1 if segment.got > reached else fruitless + 1
                if error.code == "origin_error" or fruitless >= self._limits.fruitless_attempts:
                    raise
                self._stop.wait(random.uniform(0, self._limits.backoff_seconds * 2**fruitless))  # noqa: S311 - jitter
        self._segment_seconds = monotonic() - start

    def _receive(self, segment: Segment) -> None:
        first, last = segment.first + segment.got, segment.first + len(segment.memory) - 1
        asked = self._version.range_headers(first, last)
        with self._open(asked, self._stop) as (url, response):
            heads.check_status(response.status, response.headers)
            heads.check_encoding(response.headers)
            if not self._version.has_segment(url, response, first, last):
                raise WrongRange
            self._fill(segment, Filling(response, self._limits, self._bandwidth, self._stop))

    def _fill(self, segment: Segment, filling: Filling) -> None:
        start = monotonic()
        while segment.rest and not filling.ended:
            segment.got += filling.fill(segment.rest[:BLOCK_BYTES])
            if filling.trouble is not None:
                raise filling.trouble
            usual = self._segment_seconds
            if usual and monotonic() - start > max(_PATIENCE_SECONDS, _PATIENCE * usual):
                raise Transient("stalled", "The origin sends too slowly.")
        if segment.rest:
            raise Transient("truncated", "The connection broke before the end.")
        if not filling.ended and filling.fill(memoryview(bytearray(1))):
            raise WrongRange
