"""IDOL import tasks as JSON:API under /api/v2: list, get, create.

Reads like the published document: what a task looks like, its filters, what can be done with it.
What it is attached to can be read as well, for that is where its links lead.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, get_args

from services.api.domain.errors import InvalidFields, Violation
from services.api.domain.lifecycle import FAILED, Status
from services.api.domain.queries import TaskQuery
from services.api.http.facades import catalogue
from services.api.http.facades.idol_words import DIALECT
from services.api.http.jsonapi.app import make_jsonapi_app
from services.api.http.jsonapi.operations import Operations, Served
from services.api.http.jsonapi.resource import (
    Attribute,
    Filter,
    Resource,
    Sort,
    ToOneOf,
    label,
    parse_uuid,
)
from services.api.http.openapi.document import Description
from services.api.use_cases.attached import Attached, AttachedTasks, Numbered
from services.api.use_cases.import_tasks import TaskFields

if TYPE_CHECKING:
    from aiohttp import web

    from services.api.domain.principal import Principal
    from services.api.domain.task import Finding
    from services.api.http.jsonapi.parse import Members
    from services.api.http.jsonapi.resource import Id
    from services.api.use_cases.options import Options
    from services.api.use_cases.use_cases import UseCases

PREFIX = "/api/v2"

MasterType = Literal[
    "cd", "hd", "dolby_atmos", "apple_motion_art_desktop", "apple_motion_art_mobile"
]

_UPLOADED, _COMPLETED, _FAILED = "uploaded", "completed", "failed"
_REQUIRED = ("master_type", "source_uri", "target")
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_NUMERIC = f"^{_NUMBER.pattern}$"
_TYPES = {
    "tracks": "tracks",
    "products": "products",
    "videos": "videos",
    "assetAttachments": "asset-attachment",
}
"""What the document calls the collections that masters can be attached to."""
_PLURAL = "asset-attachments"


def parse_number(text: str) -> Id | None:
    """A number, or the UUID of what has none; None for anything else."""
    return int(text) if _NUMBER.fullmatch(text) else parse_uuid(text)


def _whole_number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _id(item: Any) -> Id:
    """Its number; what an older version made beside this one has none."""
    return item.number or item.id


def _attached_type(attached: Attached) -> str:
    target = attached.task.target
    return _TYPES[target.type if target else "tracks"]


def _status(attached: Attached) -> str:
    status = attached.task.status
    if status is Status.COMPLETED:
        return _COMPLETED
    return _FAILED if status in FAILED else _UPLOADED


def _message(attached: Attached) -> str | None:
    """Why it failed: all that is wrong."""
    if attached.task.status not in FAILED:
        return None
    wrong = (each for each in attached.task.problems if each["severity"] == "error")
    return " ".join(map(_told, wrong)) or None


def _told(finding: Finding) -> str:
    measured, allowed = finding.get("measured"), finding.get("allowed")
    numbers = f" Found: {measured}; allowed: {allowed}." if measured and allowed else ""
    return finding["detail"] + numbers


def _md5(attached: Attached) -> str | None:
    """That of the bytes, or before there are any that which they are to have."""
    task = attached.task
    return task.declared_md5 if task.master is None else task.master.md5


def _precision(attached: Attached) -> str | None:
    precision = attached.task.precision
    return None if precision is None else str(precision)


def _bits(value: object) -> object:
    """A number, also where it is written as it is shown."""
    return int(str(value)) if value in ("16", "24") else value


IMPORT_TASKS: Resource[Attached] = Resource(
    type="import-tasks",
    id=lambda attached: _id(attached.task),
    parse_id=parse_number,
    attributes=(
        Attribute(name="created-at", kind=datetime, read=attrgetter("task.created_at")),
        Attribute(name="updated-at", kind=datetime, read=attrgetter("task.updated_at")),
        Attribute(
            name="precision",
            kind=Literal["16", "24", 16, 24] | None,
            read=_precision,
            field="precision",
            invalid="must be 16 for cd, 24 for hd and dolby_atmos, and none for others",
            write=_bits,
        ),
        Attribute(
            name="master-type",
            kind=MasterType,
            read=attrgetter("task.master_type"),
            field="master_type",
            invalid="is not included in the list",
        ),
        Attribute(
            name="support-number",
            kind=str | None,
            read=lambda attached: getattr(attached.target, "support_number", None),
        ),
        Attribute(
            name="status",
            kind=Literal["uploaded", "completed", "failed"],
            read=_status,
            field="status",
            invalid="must be uploaded",
        ),
        Attribute(
            name="cover-url",
            kind=str | None,
            read=lambda attached: attached.cover_uri or None,
            is_link=True,
        ),
        Attribute(
            name="url",
            kind=str | None,
            read=attrgetter("task.source_uri"),
            field="source_uri",
            invalid="must be a valid URL",
        ),
        Attribute(name="message", kind=str | None, read=_message),
        Attribute(
            name="md5",
            kind=str | None,
            read=_md5,
            field="declared_md5",
            invalid="must be 32 hexadecimal digits",
            optional=True,
        ),
    ),
    relationships=(
        ToOneOf(
            name="attachable",
            type=_TYPES["tracks"],
            others=tuple(name for key, name in _TYPES.items() if key != "tracks"),
            kind=_attached_type,
            linkage=lambda attached: None if attached.target is None else _id(attached.target),
            parse_id=parse_number,
            field="target",
            collections={name: key for key, name in _TYPES.items()} | {_PLURAL: "assetAttachments"},
            choose=Numbered,
        ),
    ),
    filters=(
        Filter(name="id", field="numbers", parse=_whole_number, pattern=_NUMERIC),
        Filter(name="product-id", field="product_numbers", parse=_whole_number, pattern=_NUMERIC),
        Filter(
            name="distributor-id",
            field="distributor_numbers",
            parse=_whole_number,
            pattern=_NUMERIC,
        ),
    ),
    sorts=(
        Sort(name="id", field="created_at"),
        Sort(name="created-at", field="created_at"),
        Sort(name="updated-at", field="updated_at"),
    ),
    version=lambda attached: attached.task.version,
    required=_REQUIRED,
)


def _task_operations(tasks: AttachedTasks) -> Operations[Attached]:
    async def create(who: Principal, fields: Members, options: Options) -> Attached:
        _check_status(fields.pop("status", _UPLOADED))
        target = fields.pop("target", None)
        return await tasks.create(
            who, TaskFields(**fields), target, required=_REQUIRED, options=options
        )

    return Operations(
        list=lambda who, query: tasks.list(who, TaskQuery(**query.slice_)),
        get=tasks.get,
        create=create,
    )


def _check_status(status: object) -> None:
    """Raise InvalidFields for what no new task can have."""
    if status != _UPLOADED:
        raise InvalidFields(Violation("status", "invalid", "A new task is uploaded."))


def _attachable(collection: str) -> Resource[Any]:
    """What masters can be attached to, as its own document in this facade's way."""
    given = catalogue.RESOURCES[collection]
    return Resource(
        type=_TYPES[collection],
        path=given.type,
        id=_id,
        parse_id=parse_number,
        attributes=tuple(
            replace(each, name=label(each.name).replace(" ", "-"), field=None)
            for each in given.attributes
            if each.name != "number"
        ),
        version=given.version,
    )


ATTACHABLES = {collection: _attachable(collection) for collection in _TYPES}
RESOURCES: tuple[Resource[Any], ...] = (IMPORT_TASKS, *ATTACHABLES.values())

DESCRIPTION = Description(
    title="Stagedoor: IDOL import tasks", resources=RESOURCES, dialect=DIALECT
)


def make_facade(
    use_cases: UseCases, public_url: str | None, daily_writes: int | None
) -> web.Application:
    """The application to mount at PREFIX; ``public_url`` starts every link.

    A tenant can make so many tasks in a day, any number if it is None.
    """
    known = frozenset(get_args(MasterType))
    limited = replace(use_cases.import_tasks, only=known, daily=daily_writes)
    tasks = AttachedTasks(limited, use_cases.covers)
    return make_jsonapi_app(
        Served(IMPORT_TASKS, _task_operations(tasks)),
        *(
            Served(
                catalogue.with_covers(resource, use_cases.covers),
                Operations(get=use_cases.catalogue[collection].get_either),
            )
            for collection, resource in ATTACHABLES.items()
        ),
        prefix=PREFIX,
        public_url=public_url,
        authenticate=use_cases.tokens.authenticate,
        dialect=DIALECT,
    )
