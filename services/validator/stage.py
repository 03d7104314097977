"""The validate stage: the stored bytes are what was downloaded, and they are a master."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from services.validator.formats.conversion import to_webvtt
from services.validator.formats.cues import SUBRIP, WEBVTT
from services.validator.master_types import MasterType
from services.validator.profile import UnknownProfileError
from services.validator.rules.registry import clean
from services.validator.sandbox import ChildCrashed, Limits, inspect_in_child
from shared.blobs.base import BlobError, BlobMissing
from shared.failpoints import reach
from shared.problems import Problem, Severity
from shared.stage.hashing import digest
from shared.stage.job import Accepted, Failed, Outcome, Refused, Released, Stored

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile, Profiles
    from services.validator.report import Report
    from shared.blobs.base import BlobStore
    from shared.stage.job import Job, Progress

_RETRY_AFTER = timedelta(seconds=30)
_MASTER_TYPES = frozenset(MasterType)
_log = structlog.get_logger()


class ValidateStage:
    """Takes downloaded bytes from the store and judges them by a delivery profile."""

    name = "validate"

    def __init__(self, blobs: BlobStore, profiles: Profiles, limits: Limits | None = None) -> None:
        self._blobs = blobs
        self._profiles = profiles
        self._limits = limits or Limits()

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Hash the stored bytes again, then inspect them in a child process."""
        # Known to the API, not to this worker: another one, or a restart, may do better.
        if job.master_type not in _MASTER_TYPES:
            return Failed(problem=_unknown("master_type", job.master_type))
        try:
            profile = self._profiles.get(job.delivery_profile)
        except UnknownProfileError:
            return Failed(problem=_unknown("delivery_profile", job.delivery_profile))
        try:
            async with self._blobs.local_copy(job.blob_key) as path:
                return await self._validate(path, profile, job, progress)
        except BlobMissing:
            # Never a finding: the bytes may come back, the master is not to blame.
            return Released(reason="input_missing", retry_after=_RETRY_AFTER)
        except BlobError as error:
            _log.warning("input_unavailable", reason=str(error))
            return Released(reason="input_unavailable", retry_after=_RETRY_AFTER)

    async def _validate(
        self, path: Path, profile: Profile, job: Job, progress: Progress
    ) -> Outcome:
        md5, size = await digest(path, lambda done: progress(done, job.size_bytes))
        if (md5, size) != (job.actual_md5, job.size_bytes):
            return Failed(problem=_stored_bytes_differ(job, md5, size))
        try:
            report = await inspect_in_child(
                path,
                profile,
                master_type=job.master_type,
                md5=md5,
                stereo_seconds=job.stereo_duration_seconds,
                limits=self._limits,
            )
        except ChildCrashed as crash:
            _log.error("validator_crash", reason=crash.reason, stderr=crash.log)
            return Failed(problem=_validator_crash(crash.reason))
        reach("validator.judged")
        outcome = await asyncio.to_thread(_outcome, report, md5, size)
        if isinstance(outcome, Accepted) and report.format.container == SUBRIP:
            converted = await asyncio.to_thread(self._convert, path, job)
            format_ = replace(outcome.format, container=WEBVTT)
            return replace(outcome, format=format_, converted=converted)
        return outcome

    def _convert(self, path: Path, job: Job) -> Stored:
        """Store subtitles as WebVTT, for the record. Raises BlobError."""
        text = path.read_bytes().decode("utf-8-sig")
        data = to_webvtt(text).encode()
        with self._blobs.create(job.output_key) as sink:
            sink.write(data)
            sink.commit()
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return Stored(blob_key=job.output_key, size_bytes=len(data), md5=md5)


def _outcome(report: Report, md5: str, size: int) -> Outcome:
    """Return the verdict with the packed report; what the bytes are is our own word."""
    if not report.accepted:
        return Refused(problems=report.problems, format=report.format, report=report.to_gzip())
    return Accepted(
        md5=md5,
        size_bytes=size,
        format=report.format,
        problems=report.problems,
        report=report.to_gzip(),
    )


def _stored_bytes_differ(job: Job, md5: str, size: int) -> Problem:
    return Problem(
        code="stored_bytes_differ",
        severity=Severity.ERROR,
        detail="The stored bytes are not those that were downloaded.",
        location=job.blob_key,
        measured=f"{size} bytes, md5 {md5}",
        allowed=f"{job.size_bytes} bytes, md5 {job.actual_md5}",
    )


def _unknown(what: str, name: str) -> Problem:
    words = what.replace("_", " ")
    return Problem(
        code=f"{what}_unknown",
        severity=Severity.ERROR,
        detail=f"This worker knows no {words} of that name.",
        measured=clean(name),
    )


def _validator_crash(reason: str) -> Problem:
    return Problem(
        code="validator_crash",
        severity=Severity.ERROR,
        detail="The inspection of this file did not come to an end.",
        measured=reason,
    )
