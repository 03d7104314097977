"""The download stage: from a URL to proven bytes in the store, or the reason why not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.downloader.errors import FetchError, Permanent, Transient
from shared.blobs.base import NoSpace, StoreUnavailable
from shared.problems import Problem, Severity
from shared.stage.job import Failed, Job, Outcome, Progress, Refused, Released, Stored

if TYPE_CHECKING:
    from services.downloader.fetch import Fetched, Fetcher
    from shared.blobs.base import BlobSink, BlobStore

# How long a worker's own trouble is given to pass.
NO_SPACE_WAIT = timedelta(seconds=60)
STORE_WAIT = timedelta(seconds=30)


class DownloadStage:
    """Fetches a master into the store under the run's own key; see Stage."""

    name = "download"

    def __init__(self, store: BlobStore, fetcher: Fetcher) -> None:
        self._store = store
        self._fetcher = fetcher

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Fetch, prove, commit; leaves nothing behind unless Stored."""
        try:
            return await self._store_source(job, progress)
        except Permanent as error:
            return Refused(problems=(_problem(error),))
        except Transient as error:
            return Failed(problem=_problem(error), retry_after=error.retry_after)
        except NoSpace:
            return Released(reason="no_space", retry_after=NO_SPACE_WAIT)
        except StoreUnavailable:
            return Released(reason="store_unavailable", retry_after=STORE_WAIT)

    async def _store_source(self, job: Job, progress: Progress) -> Stored:
        async with self._store.create(job.output_key) as sink:
            fetched = await self._fetch_proven(job, sink, progress)
            await sink.commit()
        return Stored(blob_key=job.output_key, size_bytes=fetched.size_bytes, md5=fetched.md5)

    async def _fetch_proven(self, job: Job, sink: BlobSink, progress: Progress) -> Fetched:
        declared = job.declared_md5.lower()
        fetched = await self._fetch(job, sink, progress)
        if declared and fetched.md5 != declared:
            # Once more from the start: a resumed file may have been pieced together wrongly.
            await sink.restart()
            fetched = await self._fetch(job, sink, progress)
        if declared and fetched.md5 != declared:
            raise Permanent(
                "md5_mismatch",
                f"The file has the MD5 {fetched.md5}, but {declared} was declared.",
                measured=fetched.md5,
                allowed=declared,
            )
        return fetched

    async def _fetch(self, job: Job, sink: BlobSink, progress: Progress) -> Fetched:
        return await self._fetcher.fetch(
            job.source_uri, sink, declared_md5=job.declared_md5, progress=progress
        )


def _problem(error: FetchError) -> Problem:
    return Problem(
        code=error.code,
        severity=Severity.ERROR,
        detail=error.detail,
        measured=error.measured,
        allowed=error.allowed,
    )
