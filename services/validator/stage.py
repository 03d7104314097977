"""The validate stage: the stored bytes are what was downloaded, and they are a master."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from services.validator.hashing import md5_of
from services.validator.sandbox import Limits, ValidatorCrashed, inspect_in_child
from shared.blobs.base import BlobError, BlobMissing
from shared.problems import Problem, Severity
from shared.stage.job import Accepted, Failed, Outcome, Refused, Released

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile
    from shared.blobs.base import BlobStore
    from shared.stage.job import Job, Progress

_RETRY_AFTER = timedelta(seconds=30)
_log = structlog.get_logger()


class ValidateStage:
    """Takes downloaded bytes from the store and judges them by a delivery profile."""

    name = "validate"

    def __init__(self, blobs: BlobStore, profile: Profile, limits: Limits | None = None) -> None:
        self._blobs = blobs
        self._profile = profile
        self._limits = limits or Limits()

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Hash the stored bytes again, then inspect them in a child process."""
        try:
            async with self._blobs.local_copy(job.blob_key) as path:
                return await self._validate(path, job, progress)
        except BlobMissing:
            # Never a finding: the bytes may come back, the master is not to blame.
            return Released(reason="input_missing", retry_after=_RETRY_AFTER)
        except BlobError as error:
            _log.warning("input_unavailable", reason=str(error))
            return Released(reason="input_unavailable", retry_after=_RETRY_AFTER)

    async def _validate(self, path: Path, job: Job, progress: Progress) -> Outcome:
        md5, size = await _hash(path, job.size_bytes, progress)
        if (md5, size) != (job.actual_md5, job.size_bytes):
            return Failed(problem=_stored_bytes_differ(job, md5, size))
        try:
            report = await inspect_in_child(path, self._profile, md5=md5, limits=self._limits)
        except ValidatorCrashed as crash:
            _log.error("validator_crash", reason=crash.reason, stderr=crash.log)
            return Failed(problem=_validator_crash(crash.reason))
        if report.accepted:
            return Accepted(
                md5=md5, size_bytes=size, format=report.format, problems=report.problems
            )
        return Refused(problems=report.problems, format=report.format)


async def _hash(path: Path, total: int, progress: Progress) -> tuple[str, int]:
    """Hash in a thread; the thread stops when this is cancelled."""
    stopped = threading.Event()

    def on_bytes(done: int) -> bool:
        progress(done, total)
        return not stopped.is_set()

    try:
        return await asyncio.to_thread(md5_of, path, on_bytes)
    finally:
        stopped.set()


def _stored_bytes_differ(job: Job, md5: str, size: int) -> Problem:
    return Problem(
        code="stored_bytes_differ",
        severity=Severity.ERROR,
        detail="The stored bytes are not those that were downloaded.",
        location=job.blob_key,
        measured=f"{size} bytes, md5 {md5}",
        allowed=f"{job.size_bytes} bytes, md5 {job.actual_md5}",
    )


def _validator_crash(reason: str) -> Problem:
    return Problem(
        code="validator_crash",
        severity=Severity.ERROR,
        detail="The inspection of this file did not come to an end.",
        measured=reason,
    )
