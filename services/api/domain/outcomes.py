"""What runs ask for and tell, and what is answered: plain data, and findings of our own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.api.domain.catalogue import Record
    from services.api.domain.headers import SourceHeaders
    from services.api.domain.lifecycle import Stage
    from services.api.domain.publishing import Publication, PublishedFile
    from services.api.domain.task import Finding, Master, Task


@dataclass(frozen=True, slots=True)
class Run:
    """One worker's go at one stage of one generation; the worker makes its id."""

    stage: Stage
    generation: int
    id: UUID


@dataclass(frozen=True, slots=True)
class Go:
    """Start: the run holds the claim on this task.

    Whoever knows more than the task adds the tenant's delivery profile and how long the target's
    stereo recording is, or for a download the header fields that its origin asks for; None for what
    nobody has said. ``max_bytes`` is what the tenant may still store, 0 for any.
    """

    task: Task
    delivery_profile: str | None = None
    stereo_duration: timedelta | None = None
    source_headers: SourceHeaders | None = None
    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class GoPublish:
    """Start: the run holds the claim on this publication.

    ``record`` is the master, ``tags`` and the picture at ``cover_key``, "" for none, are what is
    written into each file, ``max_bytes`` as in Go.
    """

    publication: Publication
    record: Record
    tags: Mapping[str, str]
    max_bytes: int = 0
    cover_key: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not yet: ask again after the delay."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Stop:
    """Never: forget the command."""

    reason: str


Decision = Go | GoPublish | Later | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The download stage ended well."""

    master: Master
    problems: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The validate stage ended well; md5 and size are of the bytes that were read.

    ``report`` is the validation report as gzip'd JSON, empty if there is none. ``converted`` is
    what the record is of, where it is not what was read.
    """

    md5: str
    size_bytes: int
    format: Mapping[str, object]
    problems: tuple[Finding, ...] = ()
    report: bytes = b""
    converted: Master | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The publish stage ended well: the files that were made and stored."""

    files: tuple[PublishedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The stage failed for good; ``report`` as in Accepted."""

    problems: tuple[Finding, ...]
    format: Mapping[str, object] | None = None
    report: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """This attempt failed; another one may do better."""

    problem: Finding
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The claim was given back; the attempt is not charged."""

    reason: str
    retry_after: timedelta = timedelta(0)


Outcome = Stored | Accepted | Published | Refused | Failed | Released


def error(code: str, detail: str, **more: str) -> Finding:
    """An error as a finding; more are the other fields of a problem."""
    blank = {"location": "", "spec": "", "measured": "", "allowed": ""}
    return {"code": code, "severity": "error", "detail": detail} | blank | more
