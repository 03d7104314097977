"""What changes answer with as JSON, to be given again as it was."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from sqlalchemy import Subquery, Table, Uuid

from services.api.db import job_rows
from services.api.db.catalogue_rows import ItemRows, rows_of
from services.api.db.delivery_rows import delivery_from, delivery_values
from services.api.db.publication_rows import publication_from, publication_values
from services.api.db.publish_job_rows import job_from, job_values
from services.api.db.rows import task_from, task_values
from services.api.db.subscription_rows import subscription_from, subscription_values
from services.api.db.tables import (
    deliveries,
    import_tasks,
    publications,
    publish_jobs,
    subscriptions,
    upload_sessions,
    uploads,
)
from services.api.db.types import UtcDateTime
from services.api.db.upload_rows import upload_from, upload_values
from services.api.db.upload_session_rows import session_from, session_values
from services.api.db.upload_tables import jobs
from services.api.db.upload_track_rows import seen, track_from, track_values
from services.api.domain.catalogue import Item
from services.api.domain.jobs import Job
from services.api.domain.nouns import BY_TYPE
from services.api.domain.publishing import Publication, PublishJob
from services.api.domain.subscriptions import Delivery, Subscription
from services.api.domain.task import Task
from services.api.domain.upload_sessions import UploadSession
from services.api.domain.upload_tracks import UploadTrack
from services.api.domain.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Thing = (
    Task
    | Item
    | Subscription
    | Delivery
    | PublishJob
    | Publication
    | Upload
    | UploadSession
    | UploadTrack
    | Job
    | None
)


class _Kind(NamedTuple):
    """How one kind of thing is written: its table, to columns and back."""

    table: Table | Subquery
    values: Callable[[Any], Mapping[str, Any]]
    load: Callable[[Mapping[Any, Any]], Any]


_KINDS: Mapping[type, _Kind] = {
    Task: _Kind(import_tasks, task_values, task_from),
    Subscription: _Kind(subscriptions, subscription_values, subscription_from),
    Delivery: _Kind(deliveries, delivery_values, delivery_from),
    PublishJob: _Kind(publish_jobs, job_values, job_from),
    Publication: _Kind(publications, publication_values, publication_from),
    Upload: _Kind(uploads, upload_values, upload_from),
    UploadSession: _Kind(upload_sessions, session_values, session_from),
    UploadTrack: _Kind(seen, track_values, track_from),
    Job: _Kind(jobs, job_rows.job_values, job_rows.job_from),
}
_BY_NAME = {kind.table.name: kind for kind in _KINDS.values()}


def dump(thing: Thing) -> Any:
    """Something as JSON; None for what was deleted."""
    if thing is None:
        return None
    if isinstance(thing, Item):
        rows = ItemRows(BY_TYPE[type(thing)])
        return {"kind": rows.noun.collection, **_plain(rows.values(thing))}
    kind = _KINDS[type(thing)]
    return {"kind": kind.table.name, **_plain(kind.values(thing))}


def load(dumped: Any) -> Thing:
    """What was dumped."""
    if dumped is None:
        return None
    if kind := _BY_NAME.get(dumped["kind"]):
        thing: Thing = kind.load(_typed(kind.table, dumped))
        return thing
    rows = rows_of(dumped["kind"])
    item: Item = rows.item(_typed(rows.table, dumped))
    return item


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _typed(table: Table | Subquery, dumped: dict[str, Any]) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for column in table.c:
        value = dumped.get(column.name)  # None: the version that dumped it had no such column
        if value is not None and isinstance(column.type, Uuid):
            value = UUID(value)
        elif value is not None and isinstance(column.type, UtcDateTime):
            value = datetime.fromisoformat(value)
        typed[column.name] = value
    return typed
