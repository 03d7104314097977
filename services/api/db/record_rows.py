"""Records in the database; its unique indexes decide who has an ISRC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select, text, update

from services.api.db import lists
from services.api.db.lookups import Lookup, pairs
from services.api.db.rows import record_values, to_record
from services.api.db.tables import IS_VALID_ATMOS, records
from services.api.domain.task import DOLBY_ATMOS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Record
    from services.api.domain.page import Page
    from services.api.domain.queries import RecordQuery

COLLECTION = "records"
_COUNTED = "valid"
_is_valid = records.c.superseded_at.is_(None)


def replace_valid(transaction: Transaction, new: Record) -> tuple[bool, Record | None]:
    """Put a record in the place of its task's valid one.

    Answers whether it has the ISRC, and the record that it superseded; when another task's valid
    record holds the ISRC everything stays as it was.
    """
    old = transaction.find(VALID, new.task_id)
    if old is None:
        return _add_first(transaction, new), None
    _set_superseded(transaction, old, new.created_at)
    insert = transaction.insert(records).values(**record_values(new)).on_conflict_do_nothing()
    if transaction.connection.execute(insert).rowcount == 0:
        _set_superseded(transaction, old, None)
        return False, None
    transaction.store(new.tenant, new.master.size_bytes - old.master.size_bytes)
    return True, old


def _add_first(transaction: Transaction, new: Record) -> bool:
    """Add a task's first valid record, unless another task's holds the ISRC; says whether it is.

    One that gets the ISRC at the same moment, at another replica, breaks the transaction: this one
    then runs again, and finds it.
    """
    held = (new.tenant, new.isrc or "")
    if new.isrc is not None and new.master_type == DOLBY_ATMOS:
        if transaction.find(ISRC_HOLDERS, held) is not None:
            return False
        transaction.put(ISRC_HOLDERS, held, new.task_id)
    transaction.add(records, record_values(new))
    transaction.put(VALID, new.task_id, new)
    transaction.count(new.tenant, COLLECTION, _COUNTED, 1)
    transaction.store(new.tenant, new.master.size_bytes)
    return True


def _set_superseded(transaction: Transaction, record: Record, moment: datetime | None) -> None:
    transaction.connection.execute(
        update(records).where(records.c.id == record.id).values(superseded_at=moment)
    )


def valid_of_task(connection: Connection, task_id: UUID) -> Record | None:
    """The valid record of a task."""
    return _valid(connection, [task_id]).get(task_id)


def _valid(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, Record]:
    rows = connection.execute(_BY_TASKS, {"task_ids": wanted})
    return {row.task_id: to_record(row) for row in rows}


_BY_TASKS = select(records).where(
    records.c.task_id.in_(bindparam("task_ids", expanding=True)), _is_valid
)

VALID = Lookup(_valid)
"""The valid record of a task."""


def delete_of_task(transaction: Transaction, task_id: UUID) -> set[str]:
    """Remove every record of a task; give the blob keys that they named."""
    rows = transaction.connection.execute(
        delete(records)
        .where(records.c.task_id == task_id)
        .returning(
            records.c.blob_key, records.c.tenant, records.c.superseded_at, records.c.size_bytes
        )
    ).all()
    for row in rows:
        if row.superseded_at is None:
            transaction.count(row.tenant, COLLECTION, _COUNTED, -1)
            transaction.store(row.tenant, -row.size_bytes)
    return {row.blob_key for row in rows}


_HOLDERS = select(records.c.tenant, records.c.isrc, records.c.task_id).where(
    records.c.tenant.in_(bindparam("tenants", expanding=True)),
    records.c.isrc.in_(bindparam("keys", expanding=True)),
    text(IS_VALID_ATMOS),  # in the index's own words, and no parameter
)


def _holders(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], UUID]:
    rows = connection.execute(_HOLDERS, pairs(wanted))
    return {(tenant, isrc): task_id for tenant, isrc, task_id in rows}


ISRC_HOLDERS = Lookup(_holders)
"""The task whose valid Atmos record has a tenant's ISRC: there is one at most."""


def find(connection: Connection, tenant: str, id_: UUID) -> Record | None:
    """A tenant's record, valid or superseded."""
    query = select(records).where(records.c.id == id_, records.c.tenant == tenant)
    return lists.fetch_one(connection, query, to_record)


def find_valid(connection: Connection, id_: UUID) -> Record | None:
    """Whichever tenant's valid record, for who has shown a right to just this one."""
    query = select(records).where(records.c.id == id_, _is_valid)
    return lists.fetch_one(connection, query, to_record)


def fetch_page(connection: Connection, tenant: str, query: RecordQuery) -> Page[Record]:
    """A page of a tenant's valid records, oldest first."""
    narrow = [
        *lists.one_of(records.c.id, query.ids),
        *lists.one_of(records.c.target_id, query.target_ids),
        *lists.one_of(records.c.isrc, query.isrcs),
    ]
    conditions = [lists.equal(records.c.tenant, tenant), lists.always(_is_valid), *narrow]

    def total() -> int:
        if narrow:
            return lists.count(connection, records, conditions)
        return lists.kept_total(connection, tenant, COLLECTION)

    return lists.fetch_page(connection, records, conditions, query, to_item=to_record, total=total)


def any_for_target(connection: Connection, tenant: str, target_id: UUID) -> bool:
    """Whether a valid record is linked to this target; its task may have a new one by now."""
    columns = records.c
    return lists.exists(
        connection, records, columns.tenant == tenant, columns.target_id == target_id, _is_valid
    )


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys that a valid record names."""
    column = records.c.blob_key
    return set(connection.scalars(select(column).where(column.in_(keys), _is_valid)))
