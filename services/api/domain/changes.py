"""What clients may do to a task: pure functions from a task to the next one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

from services.api.domain.errors import StateConflict
from services.api.domain.lifecycle import FAILED, UPLOADED, Priority, Status
from services.api.domain.task import Target, Task

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.api.domain.headers import SourceHeaders
    from services.api.domain.task import Master

_T = TypeVar("_T")


class Unset(Enum):
    """A field that a change leaves as it is (None would clear it)."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """The fields of a task that its client chooses, already in their stored form."""

    master_type: str
    source_uri: str | None = None
    isrc: str | None = None
    target: Target | None = None
    declared_md5: str | None = None
    delivery_profile: str | None = None
    priority: Priority = Priority.INTERACTIVE
    source_upload_id: UUID | None = None
    precision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """New values in their stored form; a value that is already so changes nothing.

    The ``source_headers`` are no part of the task: see ``keeps_headers``.
    """

    source_uri: str | Unset | None = UNSET
    isrc: str | Unset | None = UNSET
    target: Target | Unset | None = UNSET
    declared_md5: str | Unset | None = UNSET
    delivery_profile: str | Unset | None = UNSET
    priority: Priority | Unset = UNSET
    precision: int | Unset | None = UNSET
    source_headers: SourceHeaders | Unset | None = UNSET


def create(  # noqa: PLR0917 - the last of them are rarely given
    new: NewTask,
    id_: UUID,
    tenant: str,
    now: datetime,
    traceparent: str | None = None,
    master: Master | None = None,
) -> Task:
    """A task at the beginning of its first generation, due at once.

    ``master`` is that of its upload, if it has one.
    """
    return Task(
        id=id_,
        tenant=tenant,
        master_type=new.master_type,
        source_uri=new.source_uri,
        isrc=new.isrc,
        target=new.target,
        declared_md5=new.declared_md5,
        status=_beginning(master),
        generation=1,
        version=1,
        created_at=now,
        updated_at=now,
        due_at=now,
        traceparent=traceparent,
        delivery_profile=new.delivery_profile,
        priority=new.priority,
        source_upload_id=new.source_upload_id,
        master=master,
        precision=new.precision,
    )


def _beginning(master: Master | None) -> Status:
    return UPLOADED if master else Status.PENDING


def change(task: Task, wanted: TaskChange, now: datetime, traceparent: str | None = None) -> Task:
    """The task with the new values; the same object when nothing is new.

    A new source or checksum asks for the bytes anew; nothing else does, nor does a checksum of an
    upload, whose bytes are proven. A new delivery profile counts from the next validation on. A
    source takes the place of an upload.
    """
    source_uri = pick(wanted.source_uri, task.source_uri)
    changed = replace(
        task,
        source_uri=source_uri,
        source_upload_id=None if source_uri else task.source_upload_id,
        isrc=pick(wanted.isrc, task.isrc),
        target=pick(wanted.target, task.target),
        declared_md5=pick(wanted.declared_md5, task.declared_md5),
        delivery_profile=pick(wanted.delivery_profile, task.delivery_profile),
        priority=pick(wanted.priority, task.priority),
        precision=pick(wanted.precision, task.precision),
    )
    if changed == task:
        return task
    is_uploaded = changed.source_upload_id is not None
    is_proven = is_uploaded or changed.declared_md5 == task.declared_md5
    if changed.source_uri != task.source_uri or not is_proven:
        return new_generation(changed, now, traceparent)
    return touched(changed, now)


def touched(task: Task, now: datetime) -> Task:
    """The task after a change that starts no new generation."""
    return replace(task, version=task.version + 1, updated_at=now)


def keeps_headers(before: str | None, after: str | None) -> bool:
    """Whether what was given for one source may be sent to another: to the same origin only.

    Both URLs are canonical, so that equal origins are spelt alike (RFC 6454 section 4).
    """
    return _origin(before) == _origin(after)


def _origin(url: str | None) -> tuple[str, str] | None:
    return None if url is None else urlsplit(url)[:2]


def retry(
    task: Task, now: datetime, traceparent: str | None = None, master: Master | None = None
) -> Task:
    """A failed task at the beginning of a new generation; ``master`` as in ``create``.

    Raises StateConflict for a task that did not fail.
    """
    if task.status not in FAILED:
        detail = f"Only a failed import can be retried; this one is {task.status}."
        raise StateConflict(detail, task.status)
    return new_generation(task, now, traceparent, master)


def new_generation(
    task: Task, now: datetime, traceparent: str | None, master: Master | None = None
) -> Task:
    """Ask for the bytes anew; a record that exists stays until its successor does."""
    return replace(
        task,
        status=_beginning(master),
        generation=task.generation + 1,
        version=task.version + 1,
        updated_at=now,
        due_at=now,
        attempts=0,
        published=0,
        claim=None,
        progress=None,
        master=master,
        format=None,
        problems=(),
        last_failure=None,
        traceparent=traceparent,
        has_report=False,
    )


def pick(new: _T | Unset, old: _T) -> _T:
    """The new value, or the old one where a change leaves it."""
    return old if isinstance(new, Unset) else new
