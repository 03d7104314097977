"""Takes one response after another until the file is whole."""

from __future__ import annotations

from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING

from services.downloader import heads
from services.downloader.errors import Transient
from services.downloader.filling import Filling
from services.downloader.ranges import connections_for
from services.downloader.versions import Version

if TYPE_CHECKING:
    from services.downloader.bandwidth import Bandwidth
    from services.downloader.intake import Intake
    from services.downloader.limits import Limits, RangeLimits
    from services.downloader.transport import Response
    from shared.origin.stop import Stop


class Download:
    """One file as one stream, over as many responses as it takes.

    ``declared_md5`` (hex in lower case, or empty) proves the end where HTTP does not.
    """

    def __init__(
        self,
        intake: Intake,
        limits: Limits,
        ranges: RangeLimits,
        bandwidth: Bandwidth,
        *,
        declared_md5: str,
        stop: Stop,
    ) -> None:
        self._intake = intake
        self._limits = limits
        self._ranges = ranges
        self._bandwidth = bandwidth
        self._declared_md5 = declared_md5
        self._stop = stop
        self.may_split = True

    def range_headers(self) -> dict[str, str]:
        """Ask for the rest, if the file can be told from another one of the same name."""
        version, offset = self._intake.version, self._intake.offset
        return version.range_headers(offset) if version is not None and offset else {}

    def take(self, url: str, response: Response) -> int:
        """Take one response: 1 means that the file is whole.

        More is the number of connections that should fetch the rest. Raises Permanent, Transient.
        """
        heads.check_status(response.status, response.headers)
        heads.check_encoding(response.headers)
        if response.status == HTTPStatus.OK:
            self._intake.begin(Version.of(url, response))
        elif not self._continues(url, response):
            self._intake.forget()
            raise Transient("origin_error", "The origin answered a range request wrongly.")
        if response.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if (connections := self._receive(response)) > 1:
                return connections
            self._check_whole(framed=heads.is_framed(response.headers))
        return 1

    def _continues(self, url: str, response: Response) -> bool:
        """Tell whether this is the rest of what is here, and learn the size from it."""
        version, offset = self._intake.version, self._intake.offset
        total = version.continues(url, response, offset) if version is not None and offset else None
        if total is None:
            return False
        self._intake.learn_total(total)
        return True

    def _receive(self, response: Response) -> int:
        filling = Filling(response, self._limits, self._bandwidth, self._stop)
        tried_until = monotonic() + self._ranges.trial_seconds
        while True:
            block = self._intake.block()
            size = filling.fill(block, eager=self._intake.judges_head)
            self._intake.keep_block(block, size)
            if filling.trouble is not None:
                raise filling.trouble
            if filling.ended:
                return 1
            if monotonic() >= tried_until:
                tried_until = float("inf")
                if (connections := self._connections(filling.rate)) > 1:
                    return connections

    def _connections(self, rate: float) -> int:
        version = self._intake.version
        if not self.may_split or version is None or version.total is None:
            return 1
        if not version.takes_ranges or version.validator is None:
            return 1
        if version.total < self._ranges.from_bytes:
            return 1
        left = version.total - self._intake.offset
        return connections_for(rate, left, self._ranges, self._bandwidth.rate)

    def _check_whole(self, *, framed: bool) -> None:
        version, offset = self._intake.version, self._intake.offset
        if version is not None and version.total is not None:
            whole = offset == version.total
        else:
            whole = framed or (self._intake.digest() == self._declared_md5)
        if not whole:
            raise Transient(
                "truncated",
                "The file ended early, or the origin does not say where it ends:"
                " then only a declared MD5 can prove that it is whole.",
                measured=str(offset),
                at_once=bool(self._declared_md5 or (version and version.validator)),
            )
