"""Import tasks in the database.

Whoever changes a task here also writes its event, keeps the counts and signals the change: all in
the same transaction, so that none of them can be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import bindparam, delete, literal_column, select, text, update
from uuid_utils.compat import uuid7

from services.api import signals
from services.api.db import delivery_rows, lists
from services.api.db.catalogue_rows import Home, rows_of
from services.api.db.lookups import Lookup
from services.api.db.rows import task_values, to_task
from services.api.db.tables import (
    CATALOGUE,
    IS_FAILED,
    import_tasks,
    outbox,
    records,
    tombstones,
)
from services.api.domain.lifecycle import FAILED, Status
from services.api.domain.nouns import DISTRIBUTORS, PRODUCTS, TRACKS
from services.api.domain.storage import unjudged_bytes
from services.api.domain.subscriptions import Event, event_body
from services.api.domain.task import MASTER_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import TaskQuery
    from services.api.domain.task import Task

COLLECTION = "import_tasks"
OF_TYPE = "tasks.{master_type}"
"""The collection of the tasks of one master type, counted besides."""
OF_DISTRIBUTOR = "of.{master_type}"
"""The same of those of a distributor, whose id stands in place of the status."""
EVENT_TYPE = "stagedoor.import_task.{status}"
EVENT_SUBJECT = "stagedoor.events.{tenant}.import_task.{status}"
DELETED = "deleted"


class EventEncoder(Protocol):
    """Makes the payload of a task's event."""

    def __call__(self, task: Task, *, deleted: bool, now: datetime) -> bytes:
        """Encode the task as it is now."""


class EventDescriber(Protocol):
    """Makes what receivers of webhooks and mail are told of a task."""

    def __call__(self, task: Task, *, deleted: bool) -> Mapping[str, object]:
        """The task as it is now, as JSON without anything that is secret."""


@dataclass(frozen=True, slots=True)
class TaskRows:
    """Reads and writes the rows of import tasks."""

    encode: EventEncoder
    describe: EventDescriber

    def insert(self, transaction: Transaction, task: Task) -> None:
        """Add a task."""
        transaction.add(import_tasks, task_values(task))
        _count(transaction, task, 1)
        self._tell(transaction, task)

    def save(self, transaction: Transaction, before: Task, after: Task) -> None:
        """Write what has changed; ``before`` must be the locked row of this transaction."""
        old, new = task_values(before), task_values(after)
        changed = {name: value for name, value in new.items() if old[name] != value}
        if not changed:
            return
        transaction.change(import_tasks, after.id, changed)
        transaction.put(LOCKED, after.id, after)
        transaction.store(after.tenant, unjudged_bytes(after) - unjudged_bytes(before))
        if after.version == before.version:  # progress: seen by who looks, no event
            transaction.notify(signals.task_topic(after.id))
            return
        _count(transaction, before, -1)
        _count(transaction, after, 1)
        if before.claim is not None and after.generation != before.generation:
            transaction.notify(signals.cancel_topic(before.id, before.generation))
        self._tell(transaction, after)

    def delete(self, transaction: Transaction, task: Task, now: datetime) -> None:
        """Remove a task's row."""
        transaction.connection.execute(delete(import_tasks).where(import_tasks.c.id == task.id))
        transaction.put(LOCKED, task.id, None)
        _count(transaction, task, -1)
        transaction.store(task.tenant, -unjudged_bytes(task))
        transaction.connection.execute(
            tombstones.insert().values(
                task_id=task.id,
                tenant=task.tenant,
                version=task.version,
                deleted_at=now,
                master_type=task.master_type,
            )
        )
        self._write_event(transaction, task, DELETED, now)
        transaction.notify(signals.task_topic(task.id))
        transaction.notify(signals.tenant_topic(task.tenant))
        if task.claim is not None:
            transaction.notify(signals.cancel_topic(task.id, task.generation))

    def _tell(self, transaction: Transaction, task: Task) -> None:
        self._write_event(transaction, task, task.status, task.updated_at)
        transaction.notify(signals.task_topic(task.id))
        transaction.notify(signals.tenant_topic(task.tenant))
        if task.due_at is not None:
            transaction.notify(signals.DISPATCH)

    def _write_event(
        self, transaction: Transaction, task: Task, status: str, now: datetime
    ) -> None:
        id_, type_, deleted = uuid7(), EVENT_TYPE.format(status=status), status == DELETED
        row = {
            "id": id_,
            "subject": EVENT_SUBJECT.format(tenant=task.tenant, status=status),
            "type": type_,
            "payload": self.encode(task, deleted=deleted, now=now),
            "time": now,
        }
        transaction.add(outbox, row)
        transaction.notify(signals.OUTBOX)

        def event() -> Event:
            body = event_body(type_, now, self.describe(task, deleted=deleted))
            return Event(id=id_, type=type_, body=body)

        delivery_rows.tell(transaction, task.tenant, type_, event)


def _fetch(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, Task]:
    rows = connection.execute(_BY_IDS, {"ids": wanted})
    return {row.id: to_task(row) for row in rows}


_BY_IDS = select(import_tasks).where(import_tasks.c.id.in_(bindparam("ids", expanding=True)))

TASKS = Lookup(_fetch)
"""The task with an id, whichever tenant's."""


def _lock(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, Task]:
    rows = connection.execute(_LOCK_BY_IDS, {"ids": wanted})
    return {row.id: to_task(row) for row in rows}


# In one order, so that nobody waits for who waits for them.
_LOCK_BY_IDS = _BY_IDS.order_by(import_tasks.c.id).with_for_update()

LOCKED = Lookup(_lock)
"""The same, and nobody else can change it until the commit; who changes it says so by ``put``."""


def _durations(connection: Connection, wanted: Sequence[UUID]) -> Mapping[UUID, timedelta]:
    rows = connection.execute(_DURATIONS, {"ids": wanted})
    return {row.id: timedelta(microseconds=row.stereo_microseconds) for row in rows}


_tracks = CATALOGUE[TRACKS.collection].c
_DURATIONS = (
    select(import_tasks.c.id, _tracks.stereo_microseconds)
    .where(import_tasks.c.id.in_(bindparam("ids", expanding=True)))
    .where(import_tasks.c.target_type == literal_column(f"'{TRACKS.collection}'"))
    .where(_tracks.id == import_tasks.c.target_id, _tracks.tenant == import_tasks.c.tenant)
    .where(_tracks.stereo_microseconds.is_not(None))
)

DURATIONS = Lookup(_durations)
"""How long the stereo recording is of the track that a task is linked to, if that is known."""


def find(connection: Connection, tenant: str, id_: UUID) -> Task | None:
    """A tenant's task, as it was last committed."""
    query = select(import_tasks).where(import_tasks.c.id == id_, import_tasks.c.tenant == tenant)
    return lists.fetch_one(connection, query, to_task)


def lock(transaction: Transaction, id_: UUID, tenant: str | None = None) -> Task | None:
    """A task whose row nobody else can change until the commit."""
    conditions = [import_tasks.c.id == id_]
    if tenant is not None:
        conditions.append(import_tasks.c.tenant == tenant)
    query = select(import_tasks).where(*conditions).with_for_update()
    return lists.fetch_one(transaction.connection, query, to_task)


# A status is the rarer of the two: some few have, and most tasks are of one type.
_BY_TYPE = lists.unindexed(import_tasks.c.master_type)


def fetch_page(connection: Connection, tenant: str, query: TaskQuery) -> Page[Task]:
    """A page of a tenant's tasks, oldest first."""
    columns = import_tasks.c
    products = _ids(connection, PRODUCTS.collection, tenant, query.products, query.product_numbers)
    distributors = _ids(
        connection, DISTRIBUTORS.collection, tenant, query.distributors, query.distributor_numbers
    )
    narrow = [
        *lists.one_of(columns.id, query.ids),
        *lists.one_of(columns.number, query.numbers),
        *lists.one_of(columns.target_id, query.target_ids),
        *lists.one_of(columns.product_id, products),
    ]
    by_type = columns.master_type if query.statuses is None else _BY_TYPE
    conditions = [
        lists.equal(columns.tenant, tenant),
        *narrow,
        *lists.one_of(columns.status, query.statuses),
        *lists.one_of(columns.distributor_id, distributors),
        *lists.one_of(by_type, query.master_types),
    ]

    def total() -> int:
        if narrow or (query.statuses is not None and distributors is not None):
            return lists.count(connection, import_tasks, conditions)
        if distributors is not None:
            types, kept = query.master_types or MASTER_TYPES, [each.hex for each in distributors]
            names = [OF_DISTRIBUTOR.format(master_type=each) for each in types]
            return lists.kept_total(connection, tenant, *names, statuses=kept)
        collections = [COLLECTION]
        if query.master_types is not None:
            collections = [OF_TYPE.format(master_type=each) for each in query.master_types]
        return lists.kept_total(connection, tenant, *collections, statuses=query.statuses)

    return lists.fetch_page(
        connection,
        import_tasks,
        conditions,
        query,
        to_item=to_task,
        total=total,
        scattered=query.statuses is not None and len(query.statuses) > 1,
    )


def _ids(
    connection: Connection,
    collection: str,
    tenant: str,
    ids: Collection[UUID] | None,
    numbers: Collection[int] | None,
) -> set[UUID] | None:
    """Those of items that are asked for by id, by number or by both; None for any."""
    if numbers is None:
        return None if ids is None else {*ids}
    found = rows_of(collection).ids_of(connection, tenant, numbers)
    return found if ids is None else found & {*ids}


def rehome(transaction: Transaction, tenant: str, link: str, id_: UUID, home: Home) -> None:
    """Note where tasks belong now whose ``link`` leads to this id; that is no change of theirs."""
    columns = import_tasks.c
    linked = (columns.tenant == tenant, columns[link] == id_)
    query = select(columns.master_type, columns.distributor_id).where(*linked)
    # In one order, and locked: none may go or come between the counting and the update.
    rows = transaction.connection.execute(query.order_by(columns.id).with_for_update()).all()
    for master_type, before in rows:
        _count_of(transaction, tenant, master_type, before, -1)
        _count_of(transaction, tenant, master_type, home.distributor_id, 1)
    if rows:
        moved = update(import_tasks).where(*linked).values(**home._asdict())
        transaction.connection.execute(moved)


def count_waiting(connection: Connection, tenant: str) -> int:
    """How many tasks of a tenant wait for their first attempt, by the kept count."""
    return lists.kept_total(connection, tenant, COLLECTION, statuses=[Status.PENDING])


def _count(transaction: Transaction, task: Task, by: int) -> None:
    for collection in (COLLECTION, OF_TYPE.format(master_type=task.master_type)):
        transaction.count(task.tenant, collection, task.status, by)
    _count_of(transaction, task.tenant, task.master_type, task.distributor_id, by)


def _count_of(
    transaction: Transaction, tenant: str, master_type: str, distributor_id: UUID | None, by: int
) -> None:
    if distributor_id is not None:
        collection = OF_DISTRIBUTOR.format(master_type=master_type)
        transaction.count(tenant, collection, distributor_id.hex, by)


def any_for_target(connection: Connection, tenant: str, target_id: UUID) -> bool:
    """Whether a task is linked to this target."""
    columns = import_tasks.c
    return lists.exists(
        connection, import_tasks, columns.tenant == tenant, columns.target_id == target_id
    )


def keys_in_use(connection: Connection, keys: Collection[str]) -> set[str]:
    """Those of the blob keys that a task needs; a failed one needs its bytes no more."""
    column = import_tasks.c.blob_key
    needs = import_tasks.c.status.not_in(FAILED)
    return set(connection.scalars(select(column).where(column.in_(keys), needs)))


def fetch_failed(connection: Connection, before: datetime, limit: int) -> list[UUID]:
    """Some tasks that failed before a moment and have no valid record, oldest first."""
    valid = select(records.c.id).where(
        records.c.task_id == import_tasks.c.id, records.c.superseded_at.is_(None)
    )
    query = select(import_tasks.c.id).where(
        text(IS_FAILED), import_tasks.c.updated_at < before, ~valid.exists()
    )
    return list(connection.scalars(query.order_by(import_tasks.c.updated_at).limit(limit)))
