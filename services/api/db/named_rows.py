"""Which bytes the database names: of records, tasks without a verdict, and all other files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select

from services.api.db import blob_rows
from services.api.db.tables import covers, import_tasks, records, renditions, totals, uploads
from services.api.domain.lifecycle import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

PAGE = 500
_FIRST = UUID(int=0)
_UNJUDGED = (Status.DOWNLOADED, Status.VALIDATING)


@dataclass(frozen=True, slots=True)
class Named:
    """Bytes that a resource needs.

    ``name`` is records/…, importTasks/…, uploads/…, covers/… or renditions/….
    """

    id: UUID
    name: str
    key: str
    size: int
    md5: str


def tenants(connection: Connection) -> list[str]:
    """All that have, or ever had, something."""
    return sorted(connection.scalars(select(totals.c.tenant).distinct()))


def page_of_records(
    connection: Connection, tenant: str, after: UUID | None, since: datetime | None
) -> list[Named]:
    """A tenant's valid records behind an id, those of a moment and later."""
    columns = records.c
    query = select(columns.id, columns.blob_key, columns.size_bytes, columns.md5).where(
        columns.tenant == tenant, columns.superseded_at.is_(None), columns.id > (after or _FIRST)
    )
    if since is not None:
        query = query.where(columns.created_at >= since)
    return list(_named(connection, query.order_by(columns.id).limit(PAGE), "records"))


def page_of_tasks(connection: Connection, tenant: str, after: UUID | None) -> list[Named]:
    """A tenant's tasks that wait for a verdict on their bytes, behind an id."""
    columns = import_tasks.c
    query = select(columns.id, columns.blob_key, columns.size_bytes, columns.actual_md5).where(
        columns.tenant == tenant,
        columns.status.in_(_UNJUDGED),
        columns.blob_key.is_not(None),
        columns.id > (after or _FIRST),
    )
    return list(_named(connection, query.order_by(columns.id).limit(PAGE), "importTasks"))


def page_of_uploads(connection: Connection, tenant: str, after: UUID | None) -> list[Named]:
    """A tenant's uploads that have their bytes, behind an id."""
    columns = uploads.c
    query = select(columns.id, columns.blob_key, columns.size_bytes, columns.md5).where(
        columns.tenant == tenant, columns.blob_key.is_not(None), columns.id > (after or _FIRST)
    )
    return list(_named(connection, query.order_by(columns.id).limit(PAGE), "uploads"))


def page_of_renditions(connection: Connection, tenant: str, after: UUID | None) -> list[Named]:
    """A tenant's renditions behind an id."""
    columns = renditions.c
    query = select(columns.id, columns.blob_key, columns.size_bytes, columns.md5).where(
        columns.tenant == tenant, columns.id > (after or _FIRST)
    )
    return list(_named(connection, query.order_by(columns.id).limit(PAGE), "renditions"))


def page_of_covers(connection: Connection, tenant: str, after: UUID | None) -> list[Named]:
    """A tenant's covers behind an id."""
    columns = covers.c
    return _covers(connection, tenant, after, columns.blob_key, columns.size_bytes, columns.md5)


def page_of_thumbnails(connection: Connection, tenant: str, after: UUID | None) -> list[Named]:
    """The thumbnails of a tenant's covers behind an id."""
    key, size, md5 = (covers.c[f"thumbnail_{name}"] for name in ("key", "size", "md5"))
    return _covers(connection, tenant, after, key, size, md5)


def still_names(connection: Connection, key: str) -> bool:
    """Whether the bytes are needed now."""
    return bool(blob_rows.keys_in_use(connection, {key}))


def _covers(
    connection: Connection, tenant: str, after: UUID | None, *of: ColumnElement[Any]
) -> list[Named]:
    query = select(covers.c.id, *of)
    query = query.where(covers.c.tenant == tenant, covers.c.id > (after or _FIRST))
    return list(_named(connection, query.order_by(covers.c.id).limit(PAGE), "covers"))


def _named(connection: Connection, query: Select[Any], collection: str) -> Iterator[Named]:
    for id_, key, size, md5 in connection.execute(query):
        yield Named(id_, f"{collection}/{id_}", key, size, md5)
