"""The download stage: from a URL to proven bytes in the store, or the reason why not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from services.downloader.errors import FetchError, Permanent, Transient
from services.downloader.fetch import Source
from services.downloader.gates import Busy
from shared.blobs.base import NoSpace, StoreUnavailable
from shared.failpoints import reach
from shared.origin.stop import run_stoppable
from shared.problems import Problem, Severity
from shared.stage.job import Failed, Job, Outcome, Progress, Refused, Released, Stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.downloader.fetch import Fetched, Fetcher
    from services.downloader.gates import Gate
    from shared.blobs.base import BlobSink, BlobStore, Leftover
    from shared.origin.stop import Stop

# How long a worker's own trouble is given to pass.
NO_SPACE_WAIT = timedelta(seconds=60)
STORE_WAIT = timedelta(seconds=30)
BUSY_WAIT = timedelta(seconds=5)


class DownloadStage:
    """Fetches a master into the store under the run's own key; see Stage.

    ``tenants`` bounds the runs of each tenant; the store keeps ``keep_free_bytes`` free.
    """

    name = "download"

    def __init__(
        self, store: BlobStore, fetcher: Fetcher, tenants: Gate, *, keep_free_bytes: int = 0
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._tenants = tenants
        self._keep_free = keep_free_bytes

    async def ready(self) -> bool:
        """Tell whether there is room for more; what runs still need is reserved already."""
        try:
            room = await self._store.room()
        except StoreUnavailable:
            return False
        return room is None or room > self._keep_free

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Fetch, prove, commit; leaves nothing behind unless Stored."""
        try:
            return await run_stoppable(partial(self._store_source, job, progress))
        except asyncio.CancelledError:
            # It may have been stored in that very moment, and nobody will ever know of it.
            with suppress(StoreUnavailable):
                await self._store.delete(job.output_key)
            raise
        except Permanent as error:
            return Refused(problems=(_problem(error),))
        except Transient as error:
            return Failed(problem=_problem(error), retry_after=error.retry_after)
        except Busy as busy:
            return Released(reason=busy.reason, retry_after=BUSY_WAIT)
        except NoSpace:
            return Released(reason="no_space", retry_after=NO_SPACE_WAIT)
        except StoreUnavailable:
            return Released(reason="store_unavailable", retry_after=STORE_WAIT)

    def _store_source(self, job: Job, progress: Progress, stop: Stop) -> Stored:
        key = job.output_key
        with self._tenants.entered(job.tenant, stop), self._store.create(key) as sink:
            leftovers = self._store.leftovers(key.rpartition("/")[0])
            fetched = self._fetch_proven(job, sink, leftovers, progress, stop)
            stop.check()
            sink.commit()
            reach("downloader.stored")
        return Stored(blob_key=key, size_bytes=fetched.size_bytes, md5=fetched.md5)

    def _fetch_proven(
        self,
        job: Job,
        sink: BlobSink,
        leftovers: Iterable[Leftover],
        progress: Progress,
        stop: Stop,
    ) -> Fetched:
        source = Source(
            url=job.source_uri,
            headers=job.source_headers,
            declared_md5=job.declared_md5.lower(),
            max_bytes=job.max_bytes,
        )
        fetched = self._fetcher.fetch(
            source, sink, leftovers=leftovers, progress=progress, stop=stop
        )
        if source.declared_md5 not in {"", fetched.md5}:
            # Once more from the start: a resumed file may have been pieced together wrongly.
            sink.restart()
            fetched = self._fetcher.fetch(source, sink, progress=progress, stop=stop)
        if source.declared_md5 not in {"", fetched.md5}:
            raise Permanent(
                "md5_mismatch",
                f"The file has the MD5 {fetched.md5}, but {source.declared_md5} was declared.",
                measured=fetched.md5,
                allowed=source.declared_md5,
            )
        return fetched


def _problem(error: FetchError) -> Problem:
    return Problem(
        code=error.code,
        severity=Severity.ERROR,
        detail=error.detail,
        measured=error.measured,
        allowed=error.allowed,
    )
