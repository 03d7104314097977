"""What is done with single tasks, and what the loops behind the doors do all the time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from bench.scale.case import Case
from bench.scale.spread import LARGE
from services.api.db import tables
from services.api.domain.keeping import Keep
from services.api.domain.lifecycle import Stage, Status, due_stage
from services.api.domain.queries import TaskQuery
from services.api.domain.runs import Accepted, Run, Stored
from services.api.domain.task import Master
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import FORMAT, MD5, PACKED, a_principal

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.db.transactions import Transaction
    from services.api.domain.task import Target, Task
    from tests.support.core import Core

BATCH: Final = 64
"""How many are due, waiting or old, where something is."""
KEEP: Final = Keep(tasks=timedelta(days=200))
"""Nothing of what a filled database has is old."""
_SIDE_BY_SIDE: Final = 32
_WHO: Final = a_principal(LARGE)
_LATER: Final = timedelta(days=30)
_isrcs = count()


@dataclass(frozen=True, slots=True)
class _Work:
    """The operations on one core; ``target`` is what new tasks are for, ``middle`` a task."""

    core: Core
    target: Target | None
    middle: Task

    async def create(self) -> Task:
        """A pending task."""
        fields = TaskFields(
            source_uri="https://cdn.example.com/new.wav",
            isrc=f"USBEN{next(_isrcs):07}",
            target=self.target,
        )
        key = Options(key=str(uuid7()))
        return await self.core.use_cases.import_tasks.create(_WHO, fields, options=key)

    async def claimed(self, stage: Stage) -> tuple[UUID, Run]:
        """A task with a run of this stage that holds its claim."""
        task = await self.create()
        if stage is Stage.VALIDATE:
            await self.core.store(task)
        return task.id, await self.core.claim(task.id, stage)

    async def stored(self) -> Task:
        """A task that is to be validated."""
        task = await self.create()
        await self.core.store(task)
        return task

    async def report(self, running: tuple[UUID, Run]) -> None:
        """Let a run end well."""
        id_, run = running
        master = Master(blob_key=f"{LARGE}/{id_}/1/{run.id}", size_bytes=1000, md5=MD5)
        accepted = Accepted(md5=MD5, size_bytes=1000, format=FORMAT, report=PACKED)
        outcome = Stored(master=master) if run.stage is Stage.DOWNLOAD else accepted
        if not await self.core.use_cases.runs.report(id_, run, outcome):
            raise LookupError(f"the report on {id_} was stale")

    async def rest(self) -> None:
        """Let nothing be due."""

        def unit(transaction: Transaction) -> None:
            now, columns = transaction.now(), tables.import_tasks.c
            is_open = columns.status.in_([status for status in Status if due_stage(status)])
            rested = update(tables.import_tasks).where(is_open, columns.due_at <= now + _LATER / 2)
            transaction.connection.execute(rested.values(due_at=now + _LATER))

        await self.core.use_cases.executor.write(unit)

    async def fall_due(self) -> None:
        """Let a batch be due, and no more."""
        await self.rest()

        def unit(transaction: Transaction) -> None:
            columns = tables.import_tasks.c
            some = select(columns.id).where(columns.due_at.is_not(None))
            lines = (columns.status, columns.priority, columns.tenant, columns.due_at)
            some = some.order_by(*lines).limit(BATCH)
            due = update(tables.import_tasks).where(columns.id.in_(some))
            transaction.connection.execute(due.values(due_at=transaction.now()))

        await self.core.use_cases.executor.write(unit)

    async def dispatch(self) -> None:
        """What a round of the dispatcher asks the database for."""
        cases = self.core.use_cases
        if due := await cases.dispatch.due(BATCH):
            await cases.dispatch.published(due)

    async def happen(self) -> None:
        """Let as many events wait as are sent at a time."""

        def unit(transaction: Transaction) -> None:
            now = transaction.now()
            for _ in range(BATCH):
                event = {"id": uuid7(), "subject": "bench", "type": "bench"}
                transaction.add(tables.outbox, event | {"payload": bytes(300), "time": now})

        await self.core.use_cases.executor.write(unit)

    async def relay(self) -> None:
        """What a round of the relay asks the database for."""
        events = await self.core.use_cases.outbox.take(BATCH)
        await self.core.use_cases.outbox.sent([event.id for event in events])

    async def age(self) -> None:
        """Let some idempotency keys be old."""

        def unit(transaction: Transaction) -> None:
            old = transaction.now() - KEEP.keys * 2 if KEEP.keys else transaction.now()
            for _ in range(BATCH):
                key = {"tenant": LARGE, "key": str(uuid7()), "fingerprint": MD5, "answer": {}}
                transaction.add(tables.idempotency_keys, key | {"created_at": old})

        await self.core.use_cases.executor.write(unit)

    async def prune(self) -> None:
        await self.core.use_cases.retention.prune()

    async def scrub(self) -> None:
        """What the scrub asks for: keys that are to be deleted, and whether some are known."""
        blobs, key = self.core.use_cases.blobs, self.middle.master and self.middle.master.blob_key
        await blobs.doomed(BATCH)
        await blobs.unknown({*(f"{key}/{number}" for number in range(BATCH)), str(key)})

    async def follow(self) -> None:
        """The first of the changes since a moment long ago."""
        cursor = f"{self.middle.updated_at.isoformat()}_{self.middle.id}"
        changes = self.core.use_cases.watching.changes(_WHO, cursor)
        await anext(changes)
        await changes.aclose()


async def work_cases(core: Core) -> list[Case]:
    """Those of a core over a database that was filled."""
    tasks = core.use_cases.import_tasks
    total = (await tasks.list(_WHO, TaskQuery(limit=1))).total
    middle = (await tasks.list(_WHO, TaskQuery(skip=total // 2, limit=1))).items[0]
    work = _Work(core, middle.target, middle)

    async def many(_: None) -> None:
        await asyncio.gather(*(work.create() for _ in range(_SIDE_BY_SIDE)))

    return [
        Case("create", lambda _: work.create()),
        Case(f"{_SIDE_BY_SIDE} creates side by side", many),
        Case("get", lambda _: tasks.get(_WHO, middle.id)),
        Case("delete", lambda task: tasks.delete(_WHO, task.id), work.create),
        Case(
            "claim of a download",
            lambda task: core.claim(task.id, Stage.DOWNLOAD),
            work.create,
        ),
        Case(
            "report of a download",
            work.report,
            lambda: work.claimed(Stage.DOWNLOAD),
        ),
        Case(
            "claim of a validation", lambda task: core.claim(task.id, Stage.VALIDATE), work.stored
        ),
        Case("report of a validation", work.report, lambda: work.claimed(Stage.VALIDATE)),
        Case("dispatch, nothing is due", lambda _: work.dispatch(), work.rest),
        Case(f"dispatch, {BATCH} are due", lambda _: work.dispatch(), work.fall_due),
        Case(f"relay, {BATCH} events", lambda _: work.relay(), work.happen),
        Case("retention, nothing is old", lambda _: work.prune()),
        Case(f"retention, {BATCH} keys are old", lambda _: work.prune(), work.age),
        Case(f"scrub, {BATCH} keys", lambda _: work.scrub()),
        Case("changes since a cursor", lambda _: work.follow()),
    ]
