"""Import tasks: create, read, change, delete, retry, watch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api import signals
from services.api.db import record_rows, task_rows, track_rows
from services.api.domain import changes
from services.api.domain.changes import UNSET, NewTask, TaskChange, Unset
from services.api.domain.errors import InvalidFields, NotFound, RelatedNotFound, Violation
from services.api.domain.lifecycle import FINAL, Status
from services.api.domain.queries import TaskQuery
from services.api.domain.task import DOLBY_ATMOS, Target, Task
from services.api.use_cases import masters
from services.api.use_cases.fields import Reader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor, Transaction
    from services.api.db.task_rows import TaskRows
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.signals import Signals
    from services.api.use_cases.fields import Text
    from shared.origin import OriginPolicy

__all__ = ["ImportTasks", "TaskFields", "TaskQuery"]

WATCH_POLL_SECONDS = 1.0
_ISRC_TAKEN = Violation("isrc", "taken", "Another valid record holds this ISRC.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    source_uri: object = UNSET
    isrc: object = UNSET
    declared_md5: object = UNSET
    target: Target | Unset | None = UNSET


@dataclass(frozen=True, slots=True)
class ImportTasks:
    """What clients can do with import tasks."""

    executor: Executor
    rows: TaskRows
    signals: Signals
    policy: OriginPolicy

    async def create(
        self,
        who: Principal,
        fields: TaskFields,
        *,
        master_type: str = DOLBY_ATMOS,
        required: Collection[str] = (),
    ) -> Task:
        """Make a task; it is durable when this answers.

        Raises InvalidFields with every violation, also for an ISRC that another valid record
        holds, and RelatedNotFound for a target that does not exist.
        """
        who.require("tasks:write")
        values = await self._read(who, fields, required)
        new = NewTask(
            master_type=master_type,
            source_uri=_set(values.source_uri),
            isrc=_set(values.isrc),
            declared_md5=_set(values.declared_md5),
            target=None if isinstance(values.target, Unset) else values.target,
        )

        def unit(transaction: Transaction) -> Task:
            self._check_target(transaction, who.tenant, new.target)
            _check_isrc(transaction.connection, who.tenant, new.isrc, None)
            task = changes.create(new, uuid7(), who.tenant, transaction.now())
            self.rows.insert(transaction, task)
            return task

        return await self.executor.write(unit)

    async def get(self, who: Principal, id_: UUID) -> Task:
        """One task, as it was last committed. Raises NotFound."""
        who.require("tasks:read")
        task = await self.executor.read(lambda c: task_rows.find(c, who.tenant, id_))
        if task is None:
            raise NotFound("importTasks", id_)
        return task

    async def list(self, who: Principal, query: TaskQuery) -> Page[Task]:
        """A page of the tenant's tasks, oldest first."""
        who.require("tasks:read")
        return await self.executor.read(lambda c: task_rows.fetch_page(c, who.tenant, query))

    async def update(
        self, who: Principal, id_: UUID, fields: TaskFields, *, required: Collection[str] = ()
    ) -> Task:
        """Change a task; only a value that is new counts.

        A new source or checksum starts a new generation. A new ISRC or target of a completed task
        replaces its record at once. Raises as ``create``, and NotFound.
        """
        who.require("tasks:write")
        wanted = await self._read(who, fields, required, id_)

        def unit(transaction: Transaction) -> Task:
            before = self._lock(transaction, who, id_)
            now = transaction.now()
            after = changes.change(before, wanted, now)
            if after.target != before.target:
                self._check_target(transaction, who.tenant, after.target)
            if after.isrc != before.isrc:
                _check_isrc(transaction.connection, who.tenant, after.isrc, before.id)
            if after.status is Status.COMPLETED and after is not before:
                recorded = masters.replace_record(transaction, after, now)
                if recorded is None:
                    raise InvalidFields(_ISRC_TAKEN)
                after = recorded
            self.rows.save(transaction, before, after)
            masters.doom_left(transaction, before, after, now)
            return after

        return await self.executor.write(unit)

    async def delete(self, who: Principal, id_: UUID) -> None:
        """Remove a task with its records; its ISRC is free again. Raises NotFound."""
        who.require("tasks:write")

        def unit(transaction: Transaction) -> None:
            task = self._lock(transaction, who, id_)
            now = transaction.now()
            ended = replace(task, version=task.version + 1)
            keys = record_rows.delete_of_task(transaction, task.id)
            self.rows.delete(transaction, ended, now)
            masters.doom(transaction, keys | masters.keys_of(task), now)

        await self.executor.write(unit)

    async def retry(self, who: Principal, id_: UUID) -> Task:
        """Start a failed task again. Raises NotFound and StateConflict."""
        who.require("tasks:write")

        def unit(transaction: Transaction) -> Task:
            before = self._lock(transaction, who, id_)
            now = transaction.now()
            after = changes.retry(before, now)
            self.rows.save(transaction, before, after)
            masters.doom_left(transaction, before, after, now)
            return after

        return await self.executor.write(unit)

    async def watch(self, who: Principal, id_: UUID) -> AsyncIterator[Task]:
        """The task now and at each change, until it is final; states may be skipped.

        Raises NotFound, also when it is deleted meanwhile.
        """
        with self.signals.subscribe(signals.task_topic(id_)) as changed:
            seen: Task | None = None
            while True:
                task = await self.get(who, id_)
                if task != seen:
                    yield task
                    seen = task
                if task.status in FINAL:
                    return
                await changed.wait(WATCH_POLL_SECONDS)

    async def _read(
        self,
        who: Principal,
        fields: TaskFields,
        required: Collection[str],
        task_id: UUID | None = None,
    ) -> TaskChange:
        reader = Reader(required, creating=task_id is None)
        change = TaskChange(
            source_uri=reader.source_uri("source_uri", fields.source_uri, self.policy),
            isrc=reader.isrc("isrc", fields.isrc),
            declared_md5=reader.md5("declared_md5", fields.declared_md5),
            target=fields.target,
        )
        reader.is_missing("target", fields.target)
        if reader.violations and await self._is_taken(who, _set(change.isrc), task_id):
            # It would be refused for this too; one answer tells all.
            reader.refuse("isrc", "taken", _ISRC_TAKEN.detail)
        reader.finish()
        return change

    async def _is_taken(self, who: Principal, isrc: str | None, task_id: UUID | None) -> bool:
        return isrc is not None and await self.executor.read(
            lambda c: record_rows.isrc_is_taken(c, who.tenant, isrc, task_id)
        )

    @staticmethod
    def _lock(transaction: Transaction, who: Principal, id_: UUID) -> Task:
        task = task_rows.lock(transaction, id_, who.tenant)
        if task is None:
            raise NotFound("importTasks", id_)
        return task

    @staticmethod
    def _check_target(transaction: Transaction, tenant: str, target: Target | None) -> None:
        if target is None:
            return
        known = target.type == track_rows.COLLECTION
        if not known or not track_rows.pin(transaction, tenant, target.id):
            raise RelatedNotFound("target", target.type, target.id)


def _check_isrc(
    connection: Connection, tenant: str, isrc: str | None, except_task: UUID | None
) -> None:
    if isrc and record_rows.isrc_is_taken(connection, tenant, isrc, except_task):
        raise InvalidFields(_ISRC_TAKEN)


def _set(value: Text) -> str | None:
    return None if isinstance(value, Unset) else value
