"""What a stage is given and what it may answer: plain data, no wire types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from shared.problems import Format, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The inputs of one run, as the claim gave them.

    ``source_uri`` is for the download stage; ``blob_key``, ``size_bytes`` and ``actual_md5`` are
    for stages after it; ``delivery_profile`` (empty: the worker's own) and
    ``stereo_duration_seconds``, how long the target's stereo recording is, for the validate stage.
    ``attempt`` counts from 1. ``source_headers`` are fields that the origin asks for, secrets among
    them: the repr leaves them out. ``max_bytes`` is what the tenant may still store, 0 for any.
    For the publish stage ``task_id`` is the publication's; ``formats`` are what to make of the
    master, ``tags`` what to write into each file, ``cover_key`` is where the picture for it is,
    empty for none.
    """

    task_id: UUID
    generation: int
    run_id: UUID
    tenant: str
    master_type: str
    source_uri: str = ""
    declared_md5: str = ""
    blob_key: str = ""
    size_bytes: int = 0
    actual_md5: str = ""
    attempt: int = 1
    max_attempts: int = 1
    delivery_profile: str = ""
    stereo_duration_seconds: float | None = None
    source_headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    max_bytes: int = 0
    formats: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    cover_key: str = ""

    @property
    def output_key(self) -> str:
        """Where this run, and no other, may write its bytes."""
        return f"{self.tenant}/{self.task_id}/{self.generation}/{self.run_id}"

    def output_key_of(self, format_: str) -> str:
        """The same for one of several files."""
        return f"{self.output_key}.{format_}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The bytes are stored under ``blob_key`` and proven: ends the download stage."""

    blob_key: str
    size_bytes: int
    md5: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The master is fit for delivery; md5 and size are of the bytes that the validator read.

    ``report`` is the whole report as gzip'd JSON; it goes missing when it is too large.
    ``converted`` are the bytes that the record is of, where they are not those; ``format`` is
    theirs then.
    """

    md5: str
    size_bytes: int
    format: Format
    problems: tuple[Problem, ...] = ()
    report: bytes = b""
    converted: Stored | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file that a publisher made and stored; ``bit_depth`` is 0 where its coding is lossy."""

    format: str
    blob_key: str
    size_bytes: int
    md5: str
    sample_rate: int
    channels: int
    bit_depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The files are made and stored, in the order of the job's formats: ends the publish stage.

    LUFS and dBTP are those of the programme before coding, None for silence.
    """

    files: tuple[StoredFile, ...]
    duration_seconds: float
    integrated_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The stage fails for good; at least one problem is an error. ``report`` as in Accepted."""

    problems: tuple[Problem, ...]
    format: Format | None = None
    report: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """This attempt failed, another may do better: charged, and final after the last one."""

    problem: Problem
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The claim is given back unharmed and the attempt with it."""

    reason: str
    retry_after: timedelta = field(default_factory=timedelta)


Outcome = Stored | Accepted | Published | Refused | Failed | Released


class Progress(Protocol):
    """Tells the runtime how far a run is; cheap, and callable from any thread."""

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        """Note that so many bytes are done, of so many if that is known."""


class Stage(Protocol):
    """One step of the pipeline."""

    name: str

    async def run(self, job: Job, progress: Progress) -> Outcome:
        """Do the work; leave nothing behind when cancelled.

        An exception that escapes is an ``internal_error`` attempt; use it for faults only.
        """


@runtime_checkable
class Choosy(Protocol):
    """What a stage may also have: a say in whether its worker takes commands."""

    async def ready(self) -> bool:
        """Tell whether there is room for one more run; asked before each pull, so be quick.

        After a no the worker takes nothing and asks again every few seconds; runs under way go on.
        """
