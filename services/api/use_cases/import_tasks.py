"""Import tasks: create, read, change, delete, retry.

Each change is a unit of its own (``creating``, ``updating``, …), so that several of them can share
a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, daily_rows, task_rows
from services.api.db.catalogue_rows import HOMES, Home
from services.api.db.record_rows import ISRC_HOLDERS
from services.api.domain import changes
from services.api.domain.changes import UNSET, NewTask, TaskChange, Unset, pick
from services.api.domain.errors import (
    InvalidFields,
    RateLimited,
    RelatedNotFound,
    Violation,
)
from services.api.domain.headers import SourceHeaders
from services.api.domain.lifecycle import Priority, Status
from services.api.domain.queries import TaskQuery
from services.api.domain.task import DOLBY_ATMOS, MASTER_TYPES, PRECISIONS, Target, Task
from services.api.domain.values import parse_isrc
from services.api.use_cases import masters, sources
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.once import WRITE_SCOPES, run_once, run_one_once
from services.api.use_cases.operations import in_order
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.lookups import Ask
    from services.api.db.task_rows import TaskRows
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.uploads import Upload
    from services.api.use_cases.fields import Text
    from services.api.use_cases.operations import Operation
    from services.api.use_cases.vault import Vault
    from shared.origin import OriginPolicy

    Unit = Callable[[Transaction], Task]

__all__ = ["ImportTasks", "TaskFields", "TaskQuery"]

MAX_BATCH = 500
COLLECTION = "importTasks"
_WRITE = WRITE_SCOPES[Task]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFields:
    """The values of a request as the client wrote them; UNSET where it wrote none.

    The ``master_type`` is that of a new task, Dolby Atmos if unset; it cannot be changed. The
    ``source_headers`` may be secrets, so that the repr leaves them out. ``source_upload`` is the
    stored upload that a new task has in the place of a source; it cannot be changed.
    """

    source_uri: object = UNSET
    isrc: object = UNSET
    declared_md5: object = UNSET
    target: Target | Unset | None = UNSET
    delivery_profile: object = UNSET
    priority: object = UNSET
    precision: object = UNSET
    master_type: object = UNSET
    source_upload: object = UNSET
    source_headers: object = field(default=UNSET, repr=False)


@dataclass(frozen=True, slots=True)
class ImportTasks:
    """What clients can do with import tasks.

    ``profiles`` are the delivery profiles that there are. Of tasks of another master type than
    those in ``only``, if it is set, nothing is known here. So many tasks as ``daily`` can be made
    here in a day of UTC by each tenant, any number if it is None.
    """

    executor: Executor
    rows: TaskRows
    policy: OriginPolicy
    profiles: Collection[str]
    vault: Vault
    only: frozenset[str] | None = None
    daily: int | None = None

    async def create(
        self,
        who: Principal,
        fields: TaskFields,
        *,
        required: Collection[str] = (),
        options: Options = AT_ONCE,
    ) -> Task:
        """Make a task; it is durable when this answers.

        Raises InvalidFields with every violation, also for an ISRC that another valid record
        holds, RelatedNotFound for a target that does not exist, KeyReused, and RateLimited until
        tomorrow when all of today's were made.
        """
        unit = self.creating(who, fields, required=required)
        asked = ("importTasks", "create", *self.told(fields))
        asks = _asks(who.tenant, fields)
        return await run_one_once(self.executor, who, options, asked, unit, asks)

    async def batch_create(
        self,
        who: Principal,
        batch: Sequence[TaskFields],
        *,
        required: Collection[str] = (),
        options: Options = AT_ONCE,
    ) -> tuple[Task, ...]:
        """Make several tasks, all or none. Raises OperationRefused, and as ``create``."""
        if not 1 <= len(batch) <= MAX_BATCH:
            raise InvalidFields(
                Violation("requests", "invalid", f"A batch has 1 to {MAX_BATCH} requests.")
            )
        units = [self.creating(who, fields, required=required) for fields in batch]
        all_of_them = in_order([_whatever_came_before(unit) for unit in units])
        asked = ("importTasks.batchCreate", *map(self.told, batch))
        asks = [ask for fields in batch for ask in _asks(who.tenant, fields)]
        return await run_once(self.executor, who, options, asked, all_of_them, asks)

    async def get(self, who: Principal, id_: UUID) -> Task:
        """One task, as it was last committed. Raises NotFound."""
        who.require("tasks:read")
        task = await self.executor.find(task_rows.TASKS, id_)
        return self._found(task if task and task.tenant == who.tenant else None, id_)

    async def list(self, who: Principal, query: TaskQuery) -> Page[Task]:
        """A page of the tenant's tasks, oldest first unless ordered otherwise."""
        who.require("tasks:read")
        if self.only is not None:
            query = replace(query, master_types=self.only)
        return await self.executor.read(lambda c: task_rows.fetch_page(c, who.tenant, query))

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: TaskFields,
        *,
        required: Collection[str] = (),
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Task:
        """Change a task; only a value that is new counts.

        A new source or checksum starts a new generation. A new ISRC or target of a completed task
        replaces its record at once. New header fields count from the next claim on; a source of
        another origin never gets the old ones. Raises as ``create``, NotFound, and EtagMismatch
        when the task has another version than the one that is expected.
        """
        unit = self.updating(who, id_, fields, required=required, version=version)
        asked = ("importTasks", "update", id_, *self.told(fields), version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a task with its records; its ISRC is free again. Raises as ``retry``."""
        await self.executor.write(self.deleting(who, id_, version=version))

    async def retry(
        self,
        who: Principal,
        id_: UUID,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Task:
        """Start a failed task again. Raises NotFound, EtagMismatch, StateConflict."""
        unit = self._retrying(who, id_, version)
        asked = ("importTasks", "retry", id_, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    def knows(self, master_type: str) -> bool:
        """Whether tasks of this type are among those that are known here."""
        return self.only is None or master_type in self.only

    def creating(self, who: Principal, fields: TaskFields, *, required: Collection[str]) -> Unit:
        """The unit of ``create``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> Task:
            upload = sources.lock(transaction, who.tenant, fields.source_upload)
            values = self._read(transaction, who, fields, required, upload=upload)
            new = NewTask(
                master_type=_type_of(fields),
                source_uri=_set(values.source_uri),
                isrc=_set(values.isrc),
                declared_md5=_set(values.declared_md5),
                target=None if isinstance(values.target, Unset) else values.target,
                delivery_profile=_set(values.delivery_profile),
                priority=pick(values.priority, Priority.INTERACTIVE),
                source_upload_id=upload.id if upload else None,
                precision=None if isinstance(values.precision, Unset) else values.precision,
            )
            home = _pin_target(transaction, who.tenant, new.target)
            now = transaction.now()
            self._spend(transaction, who, now)
            made = changes.create(
                new,
                uuid7(),
                who.tenant,
                now,
                transaction.traceparent,
                upload.master if upload else None,
            )
            number = transaction.number(who.tenant, COLLECTION)
            task = replace(made, number=number, **home._asdict())
            self.rows.insert(transaction, task)
            if isinstance(values.source_headers, SourceHeaders):
                self.vault.keep(transaction, task, values.source_headers)
            _audit(transaction, who, "create", task.id)
            return task

        return unit

    def updating(
        self,
        who: Principal,
        id_: UUID,
        fields: TaskFields,
        *,
        required: Collection[str],
        version: int | None = None,
    ) -> Unit:
        """The unit of ``update``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> Task:
            before = self._lock(transaction, who, id_, version)
            wanted = self._read(transaction, who, fields, required, before=before)
            now = transaction.now()
            after = changes.change(before, wanted, now, transaction.traceparent)
            has_new_headers = self.vault.change(transaction, before, after, wanted.source_headers)
            if after is before and not has_new_headers:
                return before
            if after is before:
                after = changes.touched(before, now)
            if after.target != before.target:
                home = _pin_target(transaction, who.tenant, after.target)
                after = replace(after, **home._asdict())
            is_linked_anew = (after.isrc, after.target) != (before.isrc, before.target)
            if after.status is Status.COMPLETED and is_linked_anew:
                after = _replace_record(transaction, after, now)
            self._save(transaction, before, after)
            _audit(transaction, who, "update", id_)
            return after

        return unit

    def deleting(
        self, who: Principal, id_: UUID, *, version: int | None = None
    ) -> Callable[[Transaction], None]:
        """The unit of ``delete``."""
        who.require(_WRITE)

        def unit(transaction: Transaction) -> None:
            task = self._lock(transaction, who, id_, version)
            masters.remove(transaction, self.rows, task, transaction.now())
            _audit(transaction, who, "delete", id_)

        return unit

    def _retrying(self, who: Principal, id_: UUID, version: int | None) -> Unit:
        who.require(_WRITE)

        def unit(transaction: Transaction) -> Task:
            before = self._lock(transaction, who, id_, version)
            master = sources.master_again(transaction, before)
            after = changes.retry(before, transaction.now(), transaction.traceparent, master)
            self._save(transaction, before, after)
            _audit(transaction, who, "retry", id_)
            return after

        return unit

    def _spend(self, transaction: Transaction, who: Principal, now: datetime) -> None:
        if self.daily is None:
            return
        today = now.astimezone(UTC).date()
        if daily_rows.count_one(transaction, who.tenant, today) > self.daily:
            tomorrow = datetime.combine(today + timedelta(days=1), time(), UTC)
            raise RateLimited(tomorrow - now)

    def told(self, fields: TaskFields) -> tuple[object, ...]:
        """What a request wants, for telling requests apart."""
        return fields, self.vault.fingerprint(fields.source_headers)

    def _lock(
        self, transaction: Transaction, who: Principal, id_: UUID, version: int | None
    ) -> Task:
        return at_version(self._found(task_rows.lock(transaction, id_, who.tenant), id_), version)

    def _found(self, task: Task | None, id_: UUID) -> Task:
        is_known = task is not None and self.knows(task.master_type)
        return found(task if is_known else None, COLLECTION, id_)

    def _save(self, transaction: Transaction, before: Task, after: Task) -> None:
        self.rows.save(transaction, before, after)
        masters.settle(transaction, before, after, after.updated_at)

    def _read(
        self,
        transaction: Transaction,
        who: Principal,
        fields: TaskFields,
        required: Collection[str],
        *,
        before: Task | None = None,
        upload: Upload | None = None,
    ) -> TaskChange:
        if upload or (before and before.source_upload_id):
            required = {*required} - {"source_uri"}
        reader = Reader(required, creating=before is None)
        present = before.master_type if before else None
        change = TaskChange(
            source_uri=reader.source_uri("source_uri", fields.source_uri, self.policy),
            isrc=reader.isrc("isrc", fields.isrc),
            declared_md5=reader.md5("declared_md5", fields.declared_md5),
            target=fields.target,
            delivery_profile=reader.profile(
                "delivery_profile", fields.delivery_profile, self.profiles
            ),
            priority=reader.priority("priority", fields.priority),
            precision=reader.precision(
                "precision", fields.precision, PRECISIONS.get(present or _type_of(fields))
            ),
            source_headers=reader.headers("source_headers", fields.source_headers),
        )
        if before is None:
            sources.judge_new(transaction, reader, upload, change)
        else:
            sources.judge_change(reader, fields.source_upload, change, before)
        reader.is_missing("target", fields.target)
        known = [each for each in MASTER_TYPES if self.knows(each)]
        reader.fixed("master_type", fields.master_type, known, present)
        isrc, id_ = _set(change.isrc), before.id if before else None
        if (
            isrc
            and isrc != (before and before.isrc)
            # Only Atmos masters have their ISRC alone.
            and (present or _type_of(fields)) == DOLBY_ATMOS
            and transaction.find(ISRC_HOLDERS, (who.tenant, isrc)) not in {None, id_}
        ):
            reader.refuse(*_ISRC_TAKEN)
        reader.finish()
        return change


_ISRC_TAKEN = ("isrc", "taken", "Another valid record holds this ISRC.")


def _whatever_came_before(unit: Unit) -> Operation:
    return lambda _: unit


def _type_of(fields: TaskFields) -> str:
    return DOLBY_ATMOS if isinstance(fields.master_type, Unset) else str(fields.master_type)


def _asks(tenant: str, fields: TaskFields) -> list[Ask]:
    """What a new task with these fields needs to know of the database."""
    asks: list[Ask] = []
    isrc = parse_isrc(fields.isrc) if isinstance(fields.isrc, str) else None
    if isrc is not None:
        asks.append((ISRC_HOLDERS, (tenant, isrc)))
    if isinstance(fields.target, Target):
        asks.append((HOMES, (tenant, fields.target)))
    return asks


def _pin_target(transaction: Transaction, tenant: str, target: Target | None) -> Home:
    """Keep the target, and where it belongs. Raises RelatedNotFound."""
    if target is None:
        return Home(None, None)
    home = transaction.find(HOMES, (tenant, target))
    if home is None:
        raise RelatedNotFound("target", target.type, target.id)
    return home


def _replace_record(transaction: Transaction, task: Task, now: datetime) -> Task:
    recorded = masters.replace_record(transaction, task, now)
    if recorded is None:  # somebody else took the ISRC since it was checked
        raise InvalidFields(Violation(*_ISRC_TAKEN))
    return recorded


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    audit_rows.write(transaction, who, f"{COLLECTION}.{action}", f"{COLLECTION}/{id_}")


def _set(value: Text) -> str | None:
    return None if isinstance(value, Unset) else value
