"""Following tasks: one to its end, or all of a tenant.

The rows are read, signals of commits are wake-ups and polling is the truth, so that a replica sees
what another one commits. States may be skipped; an older version is never given after a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

from services.api import signals
from services.api.db import change_rows, clock
from services.api.domain.errors import InvalidQuery
from services.api.domain.lifecycle import FINAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from services.api.db.change_rows import Changed, Moment
    from services.api.db.executor import Executor
    from services.api.domain.principal import Principal
    from services.api.domain.task import Task
    from services.api.signals import Signals
    from services.api.use_cases.import_tasks import ImportTasks

POLL_SECONDS = 1.0
BATCH = 200
# A transaction may commit later than one with a later moment; so far back is looked each time.
OVERLAP = timedelta(seconds=10)
_FIRST = UUID(int=0)
# No change is older; far from the first moment that a datetime can be.
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a task; ``task`` is None when it was deleted, ``cursor`` where to go on."""

    task: Task | None
    task_id: UUID
    version: int
    deleted: bool
    cursor: str


@dataclass(frozen=True, slots=True)
class Watching:
    """Both ways of following."""

    executor: Executor
    import_tasks: ImportTasks
    signals: Signals

    async def watch(self, who: Principal, id_: UUID) -> AsyncGenerator[Task, None]:
        """The task now and at each change, until it is final.

        Raises NotFound, also when it is deleted meanwhile.
        """
        with self.signals.subscribe(signals.task_topic(id_)) as changed:
            seen: Task | None = None
            while True:
                task = await self.import_tasks.get(who, id_)
                if task != seen:
                    yield task
                    seen = task
                if task.status in FINAL:
                    return
                await changed.wait(POLL_SECONDS)

    async def changes(self, who: Principal, cursor: str | None) -> AsyncGenerator[Change, None]:
        """Every change of the tenant's tasks from now on, or since the cursor; never ends.

        At least once; of each task the versions ascend. Progress alone is no change. Raises
        InvalidQuery for a cursor that is none. Changes of master types that ``import_tasks`` does
        not know are left out.
        """
        who.require("tasks:read")
        latest = _parse(cursor) if cursor else (await self._now(), _FIRST)
        # From now on means from now on; a cursor may have been overtaken by a late commit.
        floor = latest[0] - OVERLAP if cursor else latest[0]
        sent: dict[UUID, tuple[int, datetime]] = {}
        with self.signals.subscribe(signals.tenant_topic(who.tenant)) as changed:
            while True:
                async for found in self._since((max(latest[0] - OVERLAP, floor), _FIRST), who):
                    latest = max(latest, found.moment)
                    if not self.import_tasks.knows(found.master_type):
                        continue
                    if sent.get(found.moment[1], (0, floor))[0] < found.version:
                        sent[found.moment[1]] = (found.version, found.moment[0])
                        yield _change(found, latest)
                old = latest[0] - 2 * OVERLAP
                sent = {id_: seen for id_, seen in sent.items() if seen[1] > old}
                await changed.wait(POLL_SECONDS)

    async def _now(self) -> datetime:
        """The moment of the call, by the clock that changes are dated with."""
        asked = monotonic()
        now = await self.executor.read(clock.now)
        return now - timedelta(seconds=monotonic() - asked)

    async def _since(self, moment: Moment, who: Principal) -> AsyncIterator[Changed]:
        while True:
            batch = await self._fetch(moment, who.tenant)
            for found in batch:
                yield found
            if len(batch) < BATCH:
                return
            moment = batch[-1].moment

    async def _fetch(self, moment: Moment, tenant: str) -> list[Changed]:
        return await self.executor.read(lambda c: change_rows.fetch(c, tenant, moment, BATCH))


def _change(found: Changed, latest: Moment) -> Change:
    return Change(
        task=found.task,
        task_id=found.moment[1],
        version=found.version,
        deleted=found.task is None,
        cursor=f"{latest[0].isoformat()}_{latest[1]}",
    )


def _parse(cursor: str) -> Moment:
    when, _, id_ = cursor.rpartition("_")
    try:
        moment = datetime.fromisoformat(when), UUID(id_)
    except ValueError as error:
        raise _bad_cursor() from error
    if moment[0].utcoffset() != timedelta(0) or moment[0] < _BEGINNING:
        raise _bad_cursor()
    return moment


def _bad_cursor() -> InvalidQuery:
    return InvalidQuery("cursor", "The cursor is none that this server gave.")
