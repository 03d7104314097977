"""What the application counts as it goes, counted at once; the tests compare the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, cast, delete, func, insert, literal, select, union_all, update

from services.api.db import audit_rows, publication_rows, publish_job_rows, record_rows, tables
from services.api.db import transactions as dialect
from services.api.db.catalogue_tables import numbers
from services.api.db.publishing_tables import COUNTS
from services.api.db.task_rows import COLLECTION, OF_DISTRIBUTOR, OF_TYPE
from services.api.domain.lifecycle import PublicationStatus
from services.api.domain.nouns import NOUNS
from services.api.domain.storage import UNJUDGED
from services.api.use_cases.import_tasks import COLLECTION as NUMBERED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select, Table

FIRST_NUMBER: Final = 10**9
"""What the application numbers from here on is none of ours, whatever is added later."""
_tasks = tables.import_tasks.c
_records = tables.records.c
_is_valid = _records.superseded_at.is_(None)


def keep(connection: Connection) -> None:
    """Put the present counts in the place of those before."""
    connection.execute(delete(tables.totals))
    connection.execute(insert(tables.totals).from_select([*tables.totals.c.keys()], _totals()))
    connection.execute(delete(tables.tenant_storage))
    columns = ["tenant", "stored_bytes"]
    connection.execute(insert(tables.tenant_storage).from_select(columns, _stored()))
    _keep_published(connection)
    for collection in (
        NUMBERED,
        *_items(),
        publish_job_rows.COLLECTION,
        publication_rows.COLLECTION,
    ):
        first = select(_tasks.tenant, literal(collection), literal(FIRST_NUMBER)).distinct()
        # SQLite takes an ON CONFLICT without a WHERE before it for that of a join.
        new = dialect.insert(connection, numbers).from_select(
            [*numbers.c.keys()], first.where(_tasks.number.is_not(None))
        )
        connection.execute(new.on_conflict_do_nothing())


def _items() -> tuple[str, ...]:
    return tuple(noun.collection for noun in NOUNS)


def _totals() -> Any:
    """By tenant, collection and status."""
    tasks, nothing = tables.import_tasks, literal("")
    of, type_, status = _tasks.distributor_id, _tasks.master_type, _tasks.status
    of_type, of_distributor = OF_TYPE.format(master_type=""), OF_DISTRIBUTOR.format(master_type="")
    distributor = func.replace(cast(of, Text), "-", "")
    published = tables.publications.c.status
    valid = _count(tables.records, literal(record_rows.COLLECTION), literal("valid"))
    return union_all(
        _count(tasks, literal(COLLECTION), status, status),
        _count(tasks, literal(of_type) + type_, status, type_, status),
        _count(tasks, literal(of_distributor) + type_, distributor, type_, of),
        valid.where(_is_valid),
        _count(tables.audit_log, literal(audit_rows.COLLECTION), nothing),
        _count(tables.publish_jobs, literal(publish_job_rows.COLLECTION), nothing),
        _count(tables.publications, literal(publication_rows.COLLECTION), published, published),
        *(_count(tables.CATALOGUE[each], literal(each), nothing) for each in _items()),
    )


def _count(table: Table, collection: Any, status: Any, *by: Any) -> Select[Any]:
    """The rows of each tenant, apart ``by`` more."""
    return select(table.c.tenant, collection, status, func.count()).group_by(table.c.tenant, *by)


def _stored() -> Select[Any]:
    """The bytes of valid records and of masters without a verdict."""
    both = union_all(
        select(_records.tenant, _records.size_bytes).where(_is_valid),
        select(_tasks.tenant, _tasks.size_bytes).where(_tasks.status.in_([*UNJUDGED])),
    ).subquery()
    return select(both.c.tenant, func.sum(both.c.size_bytes)).group_by(both.c.tenant)


def _keep_published(connection: Connection) -> None:
    """What each publish job counts of its publications."""
    columns = tables.publications.c
    for status in PublicationStatus:
        mine = select(func.count()).where(
            columns.job_id == tables.publish_jobs.c.id, columns.status == str(status)
        )
        counted = {COUNTS[status]: mine.scalar_subquery()}
        connection.execute(update(tables.publish_jobs).values(counted))
