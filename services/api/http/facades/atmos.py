"""Atmos import tasks, with the records and the catalogue around them, as JSON:API under /api/v1.

Reads like the published document: what a task looks like, its filters, then what can be done with
it; records follow in the same style, and the catalogue from its own declarations. What it tells
beyond that document is in ``meta``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from services.api.domain.headers import MAX_FIELDS, NAME, VALUE
from services.api.domain.lifecycle import FINAL, Status
from services.api.domain.queries import RecordQuery, TaskQuery
from services.api.domain.task import DOLBY_ATMOS
from services.api.domain.values import parse_isrc
from services.api.http.facades import catalogue, subscriptions, uploads
from services.api.http.jsonapi.app import make_jsonapi_app
from services.api.http.jsonapi.operations import Following, Operations, Served, Units
from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.resource import Action, Attribute, Filter, Resource, Sort, ToOne
from services.api.http.openapi.document import EXAMPLES, Description
from services.api.use_cases.import_tasks import TaskFields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from aiohttp import web

    from services.api.domain.catalogue import Record
    from services.api.domain.task import Finding, Target, Task
    from services.api.use_cases.import_tasks import ImportTasks
    from services.api.use_cases.use_cases import UseCases

PREFIX = "/api/v1"

_REQUIRED = ("source_uri", "isrc", "target")


class Problem(msgspec.Struct):
    """A finding of an import; null where there is nothing to say."""

    code: str
    detail: str
    severity: str
    location: str | None
    spec: str | None
    measured: str | None
    allowed: str | None


class Failure(msgspec.Struct):
    """Why the last attempt, or the whole import, failed."""

    code: str
    detail: str


class Progress(msgspec.Struct, rename="camel"):
    """How far the running stage is, in bytes."""

    stage: str
    done_bytes: int
    total_bytes: int | None


class Format(msgspec.Struct, rename="camel"):
    """What is in a master: hertz, bits, counts of channels, seconds; null where unknown."""

    container: str | None
    codec: str | None
    sample_rate: int | None
    bit_depth: int | None
    channels: int | None
    bed_channels: int | None
    objects: int | None
    duration: float | None


def _problems(findings: tuple[Finding, ...], *severities: str) -> list[Problem]:
    return [_problem(finding) for finding in findings if finding["severity"] in severities]


def _problem(finding: Finding) -> Problem:
    return Problem(
        code=finding["code"],
        detail=finding["detail"],
        severity=finding["severity"],
        location=finding.get("location") or None,
        spec=finding.get("spec") or None,
        measured=finding.get("measured") or None,
        allowed=finding.get("allowed") or None,
    )


def _validation_errors(task: Task) -> list[Problem] | None:
    return _problems(task.problems, "error") or None


def _master(attribute: str) -> Any:
    def read(task: Task) -> object:
        return getattr(task.master, attribute, None)

    return read


def _track_id(linked: Task | Record) -> UUID | None:
    target: Target | None = linked.target
    return target.id if target is not None and target.type == "tracks" else None


def _task_meta(task: Task) -> Mapping[str, object]:
    return {
        "progress": _progress(task),
        "attempts": task.attempts,
        "generation": task.generation,
        "priority": task.priority.name.lower(),
        "nextAttemptAt": task.next_attempt_at,
        "failure": _failure(task),
        "warnings": _problems(task.problems, "warning", "info"),
    }


def _progress(task: Task) -> Progress | None:
    if task.progress is None:
        return None
    done = task.progress
    return Progress(done.stage, done.done_bytes, done.total_bytes)


def _failure(task: Task) -> Failure | None:
    final = next((each for each in task.problems if each["severity"] == "error"), None)
    finding = task.last_failure or final
    return Failure(finding["code"], finding["detail"]) if finding else None


def _status(text: str) -> Status | None:
    return Status(text) if text in set(Status) else None


TASKS: Resource[Task] = Resource(
    type="atmos-import-tasks",
    id=attrgetter("id"),
    attributes=(
        Attribute(
            name="url",
            kind=Annotated[str, msgspec.Meta(max_length=2048)],
            read=attrgetter("source_uri"),
            field="source_uri",
            invalid="must be a valid URL",
        ),
        Attribute(name="secondaryIsrc", kind=str | None, read=attrgetter("isrc"), field="isrc"),
        Attribute(
            name="declaredMd5",
            kind=str | None,
            read=attrgetter("declared_md5"),
            field="declared_md5",
        ),
        Attribute(name="status", kind=Status, read=attrgetter("status")),
        Attribute(name="byteSize", kind=int | None, read=_master("size_bytes")),
        Attribute(name="actualMd5", kind=str | None, read=_master("md5")),
        Attribute(name="validationErrors", kind=list[Problem] | None, read=_validation_errors),
        Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
        Attribute(name="updatedAt", kind=datetime, read=attrgetter("updated_at")),
        # What the published document does not have comes last.
        Attribute(
            name="deliveryProfile",
            kind=str | None,
            read=attrgetter("delivery_profile"),
            field="delivery_profile",
            invalid="must be the name of a delivery profile",
        ),
        Attribute(
            name="priority",
            kind=Literal["interactive", "bulk"] | None,
            read=None,
            field="priority",
            invalid="must be interactive or bulk",
        ),
        Attribute(
            name="sourceHeaders",
            kind=Annotated[
                dict[
                    Annotated[str, msgspec.Meta(pattern=NAME)],
                    Annotated[str, msgspec.Meta(pattern=VALUE)],
                ],
                msgspec.Meta(max_length=MAX_FIELDS),
            ]
            | None,
            read=None,
            field="source_headers",
            invalid=f"must be at most {MAX_FIELDS} header fields by name, 8 KiB in all",
        ),
    ),
    relationships=(
        ToOne(name="track", type="tracks", linkage=_track_id, field="target"),
        ToOne(name="record", type="records", linkage=attrgetter("record_id")),
    ),
    filters=(
        Filter(name="id", field="ids", parse=parse_id),
        Filter(name="status", field="statuses", parse=_status),
        Filter(name="track-id", field="target_ids", parse=parse_id),
    ),
    sorts=(
        Sort(name="createdAt", field="created_at"),
        Sort(name="updatedAt", field="updated_at"),
        Sort(name="status", field="status"),
    ),
    meta=_task_meta,
    version=attrgetter("version"),
    actions=(Action(name="retry", verb="retry"),),
    required=_REQUIRED,
    has_report=attrgetter("has_report"),
)


def _task_operations(use_cases: UseCases) -> Operations[Task]:
    """Of Atmos tasks alone: of other master types this document knows nothing."""
    tasks = replace(use_cases.import_tasks, only=frozenset({DOLBY_ATMOS}))
    watching = replace(use_cases.watching, import_tasks=tasks)
    return Operations(
        list=lambda who, query: tasks.list(who, TaskQuery(**query.slice_)),
        get=tasks.get,
        create=lambda who, fields, options: tasks.create(
            who, TaskFields(**fields), required=_REQUIRED, options=options
        ),
        update=lambda who, id_, fields, version: tasks.update(
            who, id_, TaskFields(**fields), required=_REQUIRED, version=version
        ),
        delete=lambda who, id_, version: tasks.delete(who, id_, version=version),
        actions={
            "retry": lambda who, id_, version, options: tasks.retry(
                who, id_, version=version, options=options
            )
        },
        units=_task_units(tasks),
        following=Following(
            watch=watching.watch,
            is_final=lambda task: task.status in FINAL,
            changes=watching.changes,
        ),
        report=partial(use_cases.reports.of_task, only=DOLBY_ATMOS),
    )


def _task_units(tasks: ImportTasks) -> Units:
    return Units(
        creating=lambda who, fields: tasks.creating(who, TaskFields(**fields), required=_REQUIRED),
        updating=lambda who, id_, fields: tasks.updating(
            who, id_, TaskFields(**fields), required=_REQUIRED
        ),
        deleting=tasks.deleting,
    )


def _format(record: Record) -> Format:
    seen: Mapping[str, Any] = record.format
    known = {name: value or None for name, value in seen.items()}
    return Format(
        container=known.get("container"),
        codec=known.get("codec"),
        sample_rate=known.get("sample_rate_hertz"),
        bit_depth=known.get("bit_depth"),
        channels=known.get("channels"),
        bed_channels=known.get("bed_channels"),
        # No objects is a fact about a channel-based bed, not something unknown.
        objects=seen.get("objects"),
        duration=known.get("duration_seconds"),
    )


def _atmos_task_id(record: Record) -> UUID | None:
    return record.task_id if record.master_type == DOLBY_ATMOS else None


def _record_meta(record: Record) -> Mapping[str, object]:
    return {"warnings": _problems(record.problems, "warning", "info")}


RECORDS: Resource[Record] = Resource(
    type="records",
    id=attrgetter("id"),
    attributes=(
        Attribute(name="isrc", kind=str | None, read=attrgetter("isrc")),
        Attribute(name="md5", kind=str, read=attrgetter("master.md5")),
        Attribute(name="byteSize", kind=int, read=attrgetter("master.size_bytes")),
        Attribute(name="masterType", kind=str, read=attrgetter("master_type")),
        Attribute(name="format", kind=Format, read=_format),
        Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
    ),
    relationships=(
        ToOne(name="track", type="tracks", linkage=_track_id),
        ToOne(name="importTask", type="atmos-import-tasks", linkage=_atmos_task_id),
    ),
    filters=(
        Filter(name="id", field="ids", parse=parse_id),
        Filter(name="track-id", field="target_ids", parse=parse_id),
        Filter(name="isrc", field="isrcs", parse=parse_isrc),
    ),
    sorts=(Sort(name="createdAt", field="created_at"),),
    meta=_record_meta,
    has_report=lambda record: record.report_generation is not None,
)


def _record_operations(use_cases: UseCases) -> Operations[Record]:
    records, links = use_cases.records, use_cases.links
    return Operations(
        list=lambda who, query: records.list(who, RecordQuery(**query.slice_)),
        get=records.get,
        report=use_cases.reports.of_record,
        link=lambda who, id_, ttl, url: links.create(who, id_, ttl, url=url),
    )


RESOURCES: tuple[Resource[Any], ...] = (
    TASKS,
    RECORDS,
    *catalogue.RESOURCES.values(),
    *subscriptions.RESOURCES,
    uploads.UPLOADS,
)


DESCRIPTION = Description(title="Stagedoor", resources=RESOURCES, examples=EXAMPLES)


def make_facade(use_cases: UseCases, public_url: str | None) -> web.Application:
    """The application to mount at PREFIX; ``public_url`` starts every link."""
    return make_jsonapi_app(
        Served(TASKS, _task_operations(use_cases)),
        Served(RECORDS, _record_operations(use_cases)),
        *catalogue.served(use_cases),
        *subscriptions.served(use_cases),
        uploads.served(use_cases),
        prefix=PREFIX,
        public_url=public_url,
        authenticate=use_cases.tokens.authenticate,
        run=use_cases.operations.run,
    )
