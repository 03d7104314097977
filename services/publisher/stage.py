"""The publish stage: an accepted master becomes files in the formats that are wanted of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from services.publisher.errors import TranscodeError
from services.publisher.order import Order, Tags
from services.publisher.sandbox import transcoded
from services.publisher.storing import FileChanged, store_file
from shared.blobs.base import BlobError, BlobMissing, NoSpace
from shared.failpoints import reach
from shared.problems import Problem, Severity
from shared.sandbox.parent import ChildCrashed
from shared.stage.hashing import digest
from shared.stage.job import Failed, Outcome, Published, Refused, Released, StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.publisher.messages import Limits
    from services.publisher.sandbox import Made
    from shared.blobs.base import BlobStore
    from shared.stage.job import Job, Progress

_RETRY_AFTER: Final = timedelta(seconds=30)
_log = structlog.get_logger()


class PublishStage:
    """Takes accepted bytes from the store and puts what is made of them there."""

    name = "publish"

    def __init__(self, blobs: BlobStore, scratch: Path, limits: Limits | None = None) -> None:
        """Keep files below ``scratch`` until they are stored."""
        self._blobs = blobs
        self._scratch = scratch
        self._limits = limits

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Hash the stored bytes again, transcode them in a child process, store what was made."""
        try:
            order = Order(formats=job.formats, tags=Tags(**job.tags))
        except (TypeError, ValueError) as error:
            # Known to the API, not to this worker: another one, or a restart, may do better.
            return Failed(problem=_problem("order_unknown", str(error)))
        try:
            order = msgspec.structs.replace(order, cover=await self._cover(job))
            async with self._blobs.local_copy(job.blob_key) as path:
                return await self._publish(path, order, job, progress)
        except BlobMissing:
            # Never a finding: the bytes may come back, the master is not to blame.
            return Released(reason="input_missing", retry_after=_RETRY_AFTER)
        except NoSpace:
            return Released(reason="no_space", retry_after=_RETRY_AFTER)
        except BlobError as error:
            _log.warning("store_unavailable", reason=str(error))
            return Released(reason="store_unavailable", retry_after=_RETRY_AFTER)

    async def _cover(self, job: Job) -> bytes:
        """The picture that goes into each file. Raises BlobError.

        One that has just given way to another is missing; the next claim knows the other.
        """
        if not job.cover_key:
            return b""
        async with self._blobs.local_copy(job.cover_key) as path:
            return await asyncio.to_thread(path.read_bytes)

    async def _publish(self, path: Path, order: Order, job: Job, progress: Progress) -> Outcome:
        found = await digest(path, lambda _: progress(0, job.size_bytes))
        if found != (job.actual_md5, job.size_bytes):
            detail = "The stored bytes are not those that were accepted."
            return Failed(problem=_problem("stored_bytes_differ", detail))
        try:
            async with transcoded(
                path,
                order,
                self._scratch,
                limits=self._limits,
                on_progress=_in_bytes(progress, job.size_bytes),
            ) as made:
                reach("publisher.transcoded")
                return await self._store(made, job)
        except TranscodeError as error:
            return Refused(problems=(_problem(error.code, error.detail),))
        except FileChanged:
            return Failed(problem=_problem("publisher_crash", "A file changed before it was kept."))
        except ChildCrashed as crash:
            _log.error("publisher_crash", reason=crash.reason, stderr=crash.log)
            detail = "The transcoding of this master did not come to an end."
            return Failed(problem=_problem("publisher_crash", detail, crash.reason))

    async def _store(self, made: Made, job: Job) -> Published:
        """Store the files; those of a run that ends here are nobody's, and the scrub's."""
        files = []
        for path, each in zip(made.files, made.done.renditions, strict=True):
            key = job.output_key_of(each.format)
            await asyncio.to_thread(store_file, self._blobs, key, path, each)
            files.append(
                StoredFile(
                    format=each.format,
                    blob_key=key,
                    size_bytes=each.size_bytes,
                    md5=each.md5,
                    sample_rate=each.sample_rate,
                    channels=each.channels,
                    bit_depth=each.bit_depth,
                )
            )
            reach("publisher.stored")
        loudness = made.done.loudness
        return Published(
            files=tuple(files),
            duration_seconds=made.done.frames / made.done.sample_rate,
            integrated_lufs=loudness.integrated_lufs,
            true_peak_dbtp=loudness.true_peak_dbtp,
        )


def _in_bytes(progress: Progress, size: int) -> Callable[[int, int | None], None]:
    """Tell progress in bytes of the master: nobody else knows frames."""

    def on_frames(done: int, total: int | None) -> None:
        progress(min(size * done // total, size) if total else 0, size)

    return on_frames


def _problem(code: str, detail: str, measured: str = "") -> Problem:
    return Problem(code=code, severity=Severity.ERROR, detail=detail, measured=measured)
