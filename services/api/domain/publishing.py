"""Publishing: jobs, the masters that are published in them, and the files that come of it.

It is a job of its own and never changes the task that the master came by.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from services.api.domain.errors import StateConflict
from services.api.domain.lifecycle import PublicationStatus, Stage
from services.api.domain.runs import Published, Refused, RunRules, error, unclaimed
from services.api.domain.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.outcomes import Accepted, Stored

MAX_QUEUED: Final = 1000
"""How many drafts of a job are queued at a time."""
QUIET: Final = timedelta(minutes=10)
"""How long nothing may have come into a job that is run by itself."""
COMPLETED: Final = "stagedoor.publish_job.completed"
"""The type of the event that a job's addresses are told of."""
DEFAULT_FORMATS: Final = ("mp3",)
MASTER_REFUSED: Final = "master_refused"


class Start(StrEnum):
    """When a new publication is queued: when its job is run, at once, or when its job is quiet."""

    WITH_JOB = "with_job"
    AT_ONCE = "at_once"
    WHEN_QUIET = "when_quiet"


class FileKind(NamedTuple):
    """What a format's files are called and said to be (RFC 6838)."""

    extension: str
    media_type: str


FORMATS: Final[Mapping[str, FileKind]] = MappingProxyType(
    {
        "mp3": FileKind("mp3", "audio/mpeg"),
        "mp3-vbr": FileKind("mp3", "audio/mpeg"),
        "aiff": FileKind("aiff", "audio/aiff"),
        "wav": FileKind("wav", "audio/wav"),
        "flac": FileKind("flac", "audio/flac"),
        "m4a": FileKind("m4a", "audio/mp4"),
        "aac": FileKind("m4a", "audio/mp4"),
        "ogg": FileKind("ogg", "audio/ogg; codecs=opus"),
        "opus": FileKind("opus", "audio/ogg; codecs=opus"),
    }
)
"""What masters can be published as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishJob:
    """Masters that are published together; ``counts`` are kept, by status.

    ``number`` is an integer beside the id, the only one among its tenant's jobs. ``oncomplete`` is
    the canonical target that is told whenever all that was queued has ended, and so is the
    ``contact_email``. A tenant has one job that ``is_default``, made when it is first needed. At
    ``run_at`` it is run by itself.
    """

    id: UUID
    tenant: str
    number: int
    display_name: str
    contact_email: str | None
    oncomplete: str | None
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime
    counts: Mapping[PublicationStatus, int] = field(default_factory=dict)
    run_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether something of it is queued or being published."""
        return bool(
            self.counts[PublicationStatus.QUEUED] or self.counts[PublicationStatus.PUBLISHING]
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """Who is told when it has ended, each once."""
        mail = f"mailto:{self.contact_email}" if self.contact_email else None
        return tuple(dict.fromkeys(each for each in (self.oncomplete, mail) if each))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """A file that a run has made of a master and stored.

    LUFS and dBTP are those of the programme before coding (ITU-R BS.1770-4), None for silence;
    ``bit_depth`` is 0 where the coding is lossy.
    """

    format: str
    blob_key: str
    size_bytes: int
    md5: str
    sample_rate: int
    channels: int
    bit_depth: int
    duration_seconds: float
    integrated_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendition(PublishedFile):
    """A published file that clients can have."""

    id: UUID
    tenant: str
    publication_id: UUID
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication(Work):
    """One master in one job, with the formats that are wanted of it.

    The ``metadata`` are the client's own words; some of them become tags. ``record_id`` is the
    record that the renditions were made of. ``number`` is as in PublishJob. ``file_name`` is what
    the master's file is called.
    """

    number: int
    job_id: UUID
    task_id: UUID
    formats: tuple[str, ...]
    metadata: Mapping[str, str]
    status: PublicationStatus
    record_id: UUID | None = None
    file_name: str | None = None
    renditions: tuple[Rendition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationRules(RunRules[Publication]):
    """The rules of the publish stage."""

    def _conclude(
        self,
        work: Publication,
        stage: Stage,
        outcome: Stored | Accepted | Published | Refused,
        now: datetime,
        jitter: float,  # noqa: ARG002 - what only other stages need
    ) -> Publication:
        match stage, outcome:
            case Stage.PUBLISH, Published(files=files) if _are_all(files, work.formats):
                return replace(
                    unclaimed(work, now),
                    status=PublicationStatus.PUBLISHED,
                    last_failure=None,
                    due_at=None,
                )
            case _, Refused(problems=problems):
                return self._fail(work, problems, now)
            case _:  # an outcome that is not this stage's to report, or files that nobody wanted
                return self.give_up(work, now)


def stem_of(file_name: str) -> str:
    """What files of one track in several formats have in common."""
    return PurePosixPath(file_name).stem


def formats_of(file_name: str, first: str | None) -> tuple[str, ...]:
    """What a master is published as unless somebody asks for more.

    A file in another format than the ``first`` of its track stays what it is, if that is known.
    """
    kind = PurePosixPath(file_name).suffix.lower()
    is_further = first is not None and kind != PurePosixPath(first).suffix.lower()
    return (kind[1:],) if is_further and kind[1:] in FORMATS else DEFAULT_FORMATS


def _are_all(files: Iterable[PublishedFile], formats: Iterable[str]) -> bool:
    return [each.format for each in files] == list(formats)


def queue(
    publication: Publication, now: datetime, traceparent: str | None, *, ready: bool
) -> Publication:
    """A draft that is to be published: at once if its master is ``ready``, else when it is."""
    return replace(
        publication,
        status=PublicationStatus.QUEUED,
        generation=publication.generation + 1,
        version=publication.version + 1,
        updated_at=now,
        due_at=now if ready else None,
        attempts=0,
        published=0,
        claim=None,
        progress=None,
        problems=(),
        last_failure=None,
        traceparent=traceparent,
    )


def follow(publication: Publication, now: datetime, *, ready: bool) -> Publication:
    """A publication that waits for its master, which is accepted by now, or refused."""
    if publication.status is not PublicationStatus.QUEUED or publication.due_at is not None:
        return publication
    if ready:
        return replace(publication, due_at=now)
    refused = error(MASTER_REFUSED, "The master was not accepted; its import task says why.")
    return PublicationRules.fail(publication, refused, now)


def redraft(
    publication: Publication, formats: tuple[str, ...], metadata: Mapping[str, str], now: datetime
) -> Publication:
    """A publication with other formats or metadata, to be published anew.

    What was published before stays until then. Raises StateConflict while it is under way.
    """
    if publication.stage is not None:
        detail = f"What is under way cannot be changed; this one is {publication.status}."
        raise StateConflict(detail, publication.status)
    return replace(
        publication,
        formats=formats,
        metadata=metadata,
        status=PublicationStatus.DRAFT,
        version=publication.version + 1,
        updated_at=now,
        problems=(),
    )


_TAGS: Final = {
    "title": "title",
    "track title": "title",
    "artist": "artist",
    "album": "album",
    "isrc": "isrc",
    "comment": "comment",
    "comments": "comment",
}


def tags_of(metadata: Mapping[str, str], isrc: str | None) -> dict[str, str]:
    """The tags that metadata hold, by the names of columns in any case; an ISRC of their own wins.

    The first of two columns for one tag is taken.
    """
    tags: dict[str, str] = {}
    for name, value in metadata.items():
        tag = _TAGS.get(name.strip().lower())
        if tag and value:
            tags.setdefault(tag, value)
    if isrc:
        tags.setdefault("isrc", isrc)
    return tags


def told(job: PublishJob) -> dict[str, object]:
    """What the addresses of a job that has ended are told."""
    return {
        "publishJob": {
            "name": f"publishJobs/{job.id}",
            "number": job.number,
            "displayName": job.display_name,
            "published": job.counts[PublicationStatus.PUBLISHED],
            "failed": job.counts[PublicationStatus.PUBLISH_FAILED],
        }
    }
