"""How many bytes tenants store, kept as they change, and how many they may."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import func, literal_column, select

from services.api.db.tables import import_tasks, tenant_storage
from services.api.domain.lifecycle import Status
from services.api.domain.storage import Storage

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from services.api.db.transactions import Transaction
    from services.api.domain.storage import Caps
    from services.api.domain.task import Task

_columns = tenant_storage.c


def find(connection: Connection, tenant: str, caps: Caps) -> Storage:
    """What a tenant stores and may store, as it was last committed."""
    return _storage(connection, _of(tenant), caps)


def lock(transaction: Transaction, tenant: str, caps: Caps) -> Storage:
    """The same, and nobody else can change it until the commit.

    What units of the same transaction did before is in it; what this unit did is not.
    """
    hold(transaction, tenant)
    committed = _storage(transaction.connection, _of(tenant), caps)
    return replace(committed, stored=committed.stored + transaction.stored_before[tenant])


def hold(transaction: Transaction, tenant: str) -> None:
    """Let those who decide about a tenant do so one after the other, until the commit."""
    transaction.connection.execute(
        transaction.insert(tenant_storage)
        .values(tenant=tenant, stored_bytes=0)
        .on_conflict_do_nothing()
    )
    transaction.connection.execute(_of(tenant).with_for_update())


def set_quota(transaction: Transaction, tenant: str, quota: int | None) -> None:
    """Give a tenant a quota of its own, 0 for any number; None for that of everybody."""
    new = transaction.insert(tenant_storage).values(tenant=tenant, stored_bytes=0, byte_quota=quota)
    transaction.connection.execute(
        new.on_conflict_do_update(index_elements=["tenant"], set_={"byte_quota": quota})
    )


def count_downloads(
    connection: Connection, task: Task, now: datetime, *, trust_silence: bool
) -> int:
    """How many downloads of other tasks of the tenant run.

    One whose lease has ended is dead, if silence can be trusted by now.
    """
    tasks = import_tasks.c
    query = (
        select(func.count())
        .select_from(import_tasks)
        .where(
            tasks.tenant == task.tenant,
            # As in the index, with no parameter that would hide it.
            tasks.status == literal_column(f"'{Status.DOWNLOADING}'"),
            tasks.run_id.is_not(None),
            tasks.id != task.id,
        )
    )
    if trust_silence:
        query = query.where(tasks.lease_until > now)
    return connection.execute(query).scalar_one()


def _of(tenant: str) -> Select[tuple[int, int | None]]:
    query = select(_columns.stored_bytes, _columns.byte_quota)
    return query.where(_columns.tenant == tenant)


def _storage(connection: Connection, query: Select[tuple[int, int | None]], caps: Caps) -> Storage:
    row = connection.execute(query).one_or_none()
    stored, quota = (row.stored_bytes, row.byte_quota) if row else (0, None)
    return Storage(stored=stored, quota=caps.stored_bytes if quota is None else quota)
