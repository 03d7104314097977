"""One fetch: GETs that resume until the file is whole, provably, or cannot be had."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.downloader.bandwidth import Bandwidth
from services.downloader.download import Download
from services.downloader.errors import Permanent, Transient
from services.downloader.gates import Busy
from services.downloader.hashing import HashingWriter
from services.downloader.intake import Intake
from services.downloader.limits import RangeLimits
from services.downloader.ranges import Ranges
from services.downloader.redirects import follow
from shared.origin import OriginPolicy, OriginRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from services.downloader.limits import Limits
    from services.downloader.transport import Response, Transport
    from shared.blobs.base import BlobSink, Leftover
    from shared.origin.stop import Stop
    from shared.stage.job import Progress

# A longer wait gives the claim back: the task's row waits better than a worker's slot.
LONGEST_WAIT_IN_RUN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to fetch. ``headers`` are for the origin of ``url`` only, secrets among them.

    ``declared_md5`` (hex or empty) proves completeness where HTTP does not; it is not compared
    otherwise. ``max_bytes`` is what the tenant may still store, 0 for any.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    declared_md5: str = ""
    max_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The whole file: its size in bytes and its MD5 in hex."""

    size_bytes: int
    md5: str


class Fetcher:
    """Fetches URLs through a transport, by a policy, within limits; for any number of threads."""

    def __init__(
        self,
        transport: Transport,
        policy: OriginPolicy,
        limits: Limits,
        ranges: RangeLimits | None = None,
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self._transport = transport
        self._policy = policy
        self._limits = limits
        self._ranges = ranges or RangeLimits()
        self._bandwidth = bandwidth or Bandwidth()

    def fetch(
        self,
        source: Source,
        sink: BlobSink,
        *,
        leftovers: Iterable[Leftover] = (),
        progress: Progress,
        stop: Stop,
    ) -> Fetched:
        """Write the file to a sink that is empty; commit is the caller's. Blocks.

        ``leftovers`` are parts that may hold the beginning of this file. Raises Permanent,
        Transient, Busy, NoSpace, StoreUnavailable, Stopped.
        """
        url = self._canonical(source.url)
        with HashingWriter(sink) as writer:
            intake = Intake(
                sink,
                writer,
                max_bytes=self._limits.max_bytes,
                quota=source.max_bytes,
                progress=progress,
            )
            intake.adopt(leftovers, stop)
            self._persist(url, source, intake, stop)
            return Fetched(size_bytes=intake.offset, md5=intake.digest())

    def _canonical(self, url: str) -> str:
        try:
            return self._policy.canonical(url)
        except OriginRefused as refusal:
            code = refusal.code if refusal.code.endswith("_refused") else "invalid_url"
            raise Permanent(code, refusal.detail) from refusal

    def _persist(self, url: str, source: Source, intake: Intake, stop: Stop) -> None:
        download = Download(
            intake,
            self._limits,
            self._ranges,
            self._bandwidth,
            declared_md5=source.declared_md5.lower(),
            stop=stop,
        )
        fruitless = 0
        while True:
            reached = intake.furthest
            try:
                return self._attempt(url, source, intake, download, stop)
            except Busy:
                # What is here already is worth a place in the queue.
                if not intake.offset:
                    raise
            except Transient as error:
                stop.check()
                fruitless = 1 if intake.furthest > reached else fruitless + 1
                stop.wait(self._wait(error, fruitless))

    def _attempt(
        self, url: str, source: Source, intake: Intake, download: Download, stop: Stop
    ) -> None:
        """Bring the rest, by one stream or by several once it proved worth it."""
        asked = download.range_headers()
        with self._follow(url, source.headers, asked, stop) as (final_url, response):
            connections = download.take(final_url, response)
        if connections > 1 and intake.version is not None:
            download.may_split = False  # one go at it: what it cannot get over, one stream may
            # Elsewhere than where they were meant for, the credentials have no business.
            credentials = source.headers if final_url == url else {}
            Ranges(
                partial(self._follow, final_url, credentials),
                intake.version,
                self._limits,
                self._ranges,
                self._bandwidth,
            ).fetch(intake, connections, stop)

    def _follow(
        self, url: str, credentials: Mapping[str, str], asked: Mapping[str, str], stop: Stop
    ) -> AbstractContextManager[tuple[str, Response]]:
        return follow(self._transport, self._policy, url, credentials, asked, stop)

    def _wait(self, error: Transient, fruitless: int) -> float:
        """Return the seconds until the next attempt of this run, or raise the error."""
        if not error.at_once or fruitless >= self._limits.fruitless_attempts:
            raise error
        if error.retry_after is None:
            longest = self._limits.backoff_seconds * 2**fruitless
            return min(random.uniform(0, longest), LONGEST_WAIT_IN_RUN.total_seconds())  # noqa: S311 - jitter
        if error.retry_after >= LONGEST_WAIT_IN_RUN:
            raise error
        return error.retry_after.total_seconds()
