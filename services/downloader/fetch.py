"""One fetch: a GET that resumes until the file is whole, provably, or cannot be had."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from services.downloader.download import Download
from services.downloader.errors import Permanent, Transient
from services.downloader.redirects import follow
from services.downloader.writer import HashingWriter
from shared.origin import OriginPolicy, OriginRefused

if TYPE_CHECKING:
    from services.downloader.limits import Limits
    from services.downloader.transport import Transport
    from shared.blobs.base import BlobSink
    from shared.stage.job import Progress

# A longer wait gives the claim back: the task's row waits better than a worker's slot.
LONGEST_WAIT_IN_RUN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The whole file: its size in bytes and its MD5 in hex."""

    size_bytes: int
    md5: str


class Fetcher:
    """Fetches URLs through a transport, by a policy, within limits."""

    def __init__(self, transport: Transport, policy: OriginPolicy, limits: Limits) -> None:
        self._transport = transport
        self._policy = policy
        self._limits = limits

    async def fetch(
        self, url: str, sink: BlobSink, *, declared_md5: str, progress: Progress
    ) -> Fetched:
        """Write the file to a sink that is empty; commit is the caller's.

        ``declared_md5`` (hex or empty) proves completeness where HTTP does not; it is not compared
        otherwise. Raises Permanent, Transient, NoSpace, StoreUnavailable.
        """
        canonical = self._canonical(url)
        async with HashingWriter(sink) as writer:
            download = Download(writer, self._limits, declared_md5, progress)
            await self._persist(canonical, download)
            return Fetched(size_bytes=writer.offset, md5=await writer.flush())

    def _canonical(self, url: str) -> str:
        try:
            return self._policy.canonical(url)
        except OriginRefused as refusal:
            code = refusal.code if refusal.code.endswith("_refused") else "invalid_url"
            raise Permanent(code, refusal.detail) from refusal

    async def _persist(self, url: str, download: Download) -> None:
        fruitless = 0
        while True:
            reached = download.furthest
            try:
                async with follow(self._transport, self._policy, url, download.range_headers()) as (
                    final_url,
                    response,
                ):
                    await download.take(final_url, response)
            except Transient as error:
                fruitless = 1 if download.furthest > reached else fruitless + 1
                await asyncio.sleep(self._wait(error, fruitless))
            else:
                return

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
