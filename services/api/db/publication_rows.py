"""Publications in the database.

Whoever changes one here also keeps the counts of its job and signals the change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, select, update

from services.api import signals
from services.api.db import lists, publish_job_rows, rendition_rows
from services.api.db.lookups import Lookup
from services.api.db.rows import work_from, work_values
from services.api.db.tables import publications
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.publishing import Publication, stem_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row, Select

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.publishing import Rendition
    from services.api.domain.queries import PublicationQuery

COLLECTION = "publications"
_columns = publications.c
_OWN = ("number", "job_id", "task_id", "record_id", "file_name")


def publication_values(publication: Publication) -> dict[str, Any]:
    """The columns of a publication's row."""
    return {
        **work_values(publication),
        **{name: getattr(publication, name) for name in _OWN},
        "formats": list(publication.formats),
        "metadata": dict(publication.metadata),
        "file_stem": publication.file_name and stem_of(publication.file_name),
    }


def publication_from(
    columns: Mapping[Any, Any], renditions: tuple[Rendition, ...] = ()
) -> Publication:
    """The publication of the values of its columns, with its renditions."""
    return Publication(
        **work_from(columns, PublicationStatus(columns["status"])),
        **{name: columns[name] for name in _OWN},
        formats=tuple(columns["formats"]),
        metadata=columns["metadata"],
        renditions=renditions,
    )


def insert(transaction: Transaction, publication: Publication) -> None:
    """Add a publication."""
    transaction.connection.execute(publications.insert().values(**publication_values(publication)))
    _count(transaction, publication, 1)
    publish_job_rows.move(transaction, publication.job_id, None, publication.status)


def save(transaction: Transaction, before: Publication, after: Publication) -> None:
    """Write what has changed; ``before`` must be the locked row of this transaction."""
    old, new = publication_values(before), publication_values(after)
    changed = {name: value for name, value in new.items() if old[name] != value}
    if not changed:
        return
    transaction.connection.execute(
        update(publications).where(_columns.id == after.id).values(**changed)
    )
    if after.due_at is not None and after.claim is None:
        transaction.notify(signals.DISPATCH)
    if after.status is not before.status:
        _count(transaction, before, -1)
        _count(transaction, after, 1)
        publish_job_rows.move(transaction, after.job_id, before.status, after.status)


def remove(transaction: Transaction, publication: Publication) -> None:
    """Remove a locked publication with its renditions; their bytes are the caller's to doom."""
    rendition_rows.remove(transaction, publication)
    transaction.connection.execute(delete(publications).where(_columns.id == publication.id))
    _count(transaction, publication, -1)
    publish_job_rows.move(transaction, publication.job_id, publication.status, None)
    if publication.claim is not None:
        transaction.notify(signals.cancel_topic(publication.id, publication.generation))


def find(connection: Connection, tenant: str, id_: UUID) -> Publication | None:
    """A tenant's publication."""
    query = select(publications).where(_columns.id == id_, _columns.tenant == tenant)
    return next(iter(_whole(connection, query)), None)


def lock(transaction: Transaction, id_: UUID, tenant: str | None = None) -> Publication | None:
    """A publication whose row nobody else can change until the commit."""
    query = select(publications).where(_columns.id == id_)
    if tenant is not None:
        query = query.where(_columns.tenant == tenant)
    return next(iter(_whole(transaction.connection, query.with_for_update())), None)


def lock_all(
    transaction: Transaction,
    *,
    task_id: UUID | None = None,
    job_id: UUID | None = None,
    tenant: str | None = None,
    status: PublicationStatus | None = None,
    limit: int | None = None,
) -> list[Publication]:
    """Those of a task, or of a job, that nobody else can change until the commit, by age."""
    query = select(publications).order_by(_columns.id).limit(limit)
    if task_id is not None:
        query = query.where(_columns.task_id == task_id)
    if job_id is not None:
        query = query.where(_columns.job_id == job_id)
    if tenant is not None:
        query = query.where(_columns.tenant == tenant)
    if status is not None:
        query = query.where(_columns.status == str(status))
    return _whole(transaction.connection, query.with_for_update())


def _queued(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, bool]:
    rows = connection.execute(_QUEUED, {"task_ids": wanted})
    return {row.task_id: True for row in rows}


_QUEUED = select(_columns.task_id).where(
    _columns.task_id.in_(bindparam("task_ids", expanding=True)),
    _columns.status == str(PublicationStatus.QUEUED),
)

QUEUED = Lookup(_queued)
"""Whether publications wait for the record of a task."""


def drafts(connection: Connection, job_id: UUID, limit: int) -> Sequence[UUID]:
    """The tasks of the oldest drafts of a job."""
    query = select(_columns.task_id).where(
        _columns.job_id == job_id, _columns.status == str(PublicationStatus.DRAFT)
    )
    return connection.scalars(query.order_by(_columns.id).limit(limit)).all()


def first_of_file(
    connection: Connection, tenant: str, job_id: UUID, file_name: str
) -> Publication | None:
    """The oldest of a tenant's job whose file has this name but for its extension."""
    query = select(publications).where(
        _columns.tenant == tenant,
        _columns.job_id == job_id,
        _columns.file_stem == stem_of(file_name),
    )
    return next(iter(_whole(connection, query.order_by(_columns.id).limit(1))), None)


# The indexes of a job's and of a task's have no tenant.
_TENANT = lists.unindexed(_columns.tenant)


def fetch_page(connection: Connection, tenant: str, query: PublicationQuery) -> Page[Publication]:
    """A page of a tenant's publications, oldest first unless ordered otherwise."""
    narrow = [
        *lists.one_of(_columns.id, query.ids),
        *lists.one_of(_columns.number, query.numbers),
        *lists.one_of(_columns.job_id, query.job_ids),
        *lists.one_of(_columns.task_id, query.task_ids),
    ]
    is_of_one = query.job_ids is not None or query.task_ids is not None
    conditions = [
        lists.equal(_TENANT if is_of_one else _columns.tenant, tenant),
        *narrow,
        *lists.one_of(_columns.status, query.statuses),
    ]

    def total() -> int:
        if narrow:
            return lists.count(connection, publications, conditions)
        return lists.kept_total(connection, tenant, COLLECTION, statuses=query.statuses)

    page = lists.fetch_page(
        connection,
        publications,
        conditions,
        query,
        to_item=_to_bare,
        total=total,
        scattered=is_of_one,
    )
    return replace(page, items=_with_renditions(connection, page.items))


def _whole(connection: Connection, query: Select[Any]) -> list[Publication]:
    bare = [_to_bare(row) for row in connection.execute(query).all()]
    return [*_with_renditions(connection, bare)]


def _with_renditions(
    connection: Connection, bare: Sequence[Publication]
) -> tuple[Publication, ...]:
    found = rendition_rows.of_publications(connection, [each.id for each in bare])
    return tuple(rendition_rows.with_renditions(each, found) for each in bare)


def _to_bare(row: Row[Any]) -> Publication:
    return publication_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it


def _count(transaction: Transaction, publication: Publication, by: int) -> None:
    transaction.count(publication.tenant, COLLECTION, str(publication.status), by)
