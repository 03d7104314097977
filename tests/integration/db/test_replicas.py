"""Several replicas over one PostgreSQL: a claim, a record, an event is one's only."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from services.api.db.tables import records
from services.api.dispatcher import Dispatcher
from services.api.domain.lifecycle import Stage, Status
from services.api.domain.runs import Accepted, Go, Later, Run
from services.api.outbox import Relay
from shared.bus import streams, subjects
from shared.bus.roles import Role
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent
from tests.support.core import FORMAT, MD5
from tests.support.nats import ACK_WAIT, NatsServer, nats_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.use_cases.outbox import OutboxEvent
    from shared.bus.bus import Bus
    from tests.support.core import Core

__all__ = ["nats_server"]

pytestmark = pytest.mark.long
RACERS = 20
POLL = timedelta(seconds=0.1)


async def test_of_twenty_runs_one_is_told_to_go(replicas: list[Core]) -> None:
    for n in range(5):
        task = await replicas[0].task(f"USRC1{n:07d}")
        runs = [Run(Stage.DOWNLOAD, 1, uuid7()) for _ in range(RACERS)]
        decisions = await asyncio.gather(
            *(replicas[k % 3].use_cases.runs.claim(task.id, run) for k, run in enumerate(runs))
        )
        assert Counter(map(type, decisions)) == {Go: 1, Later: RACERS - 1}


async def test_of_twenty_masters_one_gets_the_isrc(replicas: list[Core]) -> None:
    """All passed the check at their creation; the unique index decides."""
    tasks = [await replicas[k % 3].task() for k in range(RACERS)]
    runs: list[Run] = []
    for k, task in enumerate(tasks):
        await replicas[k % 3].store(task)
        runs.append(await replicas[k % 3].claim(task.id, Stage.VALIDATE))
    accepted = Accepted(md5=MD5, size_bytes=1000, format=FORMAT)
    applied = await asyncio.gather(
        *(
            replicas[k % 3].use_cases.runs.report(task.id, runs[k], accepted)
            for k, task in enumerate(tasks)
        )
    )
    assert all(applied)
    ends = Counter([(await replicas[0].until(t.id, *Status)).status for t in tasks])
    assert ends == {Status.COMPLETED: 1, Status.VALIDATION_FAILED: RACERS - 1}
    valid = select(func.count()).select_from(records).where(records.c.superseded_at.is_(None))
    assert await replicas[1].use_cases.executor.read(lambda c: c.execute(valid).scalar()) == 1


async def test_relays_that_race_take_no_event_twice(replicas: list[Core]) -> None:
    for n in range(100):
        await replicas[0].task(f"USRC1{n:07d}")
    taken: list[OutboxEvent] = []

    async def takes(core: Core) -> None:
        while events := await core.use_cases.outbox.take(7):
            taken.extend(events)

    await asyncio.gather(*(takes(core) for core in replicas for _ in range(3)))
    ids = [event.id for event in taken]
    assert len(ids) == len(set(ids)) == 100


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    async with nats_server.bus(Role.API) as opened:
        yield opened


async def test_every_event_is_sent_once_and_the_versions_tell_their_order(
    replicas: list[Core], bus: Bus, nats_server: NatsServer
) -> None:
    """Three relays and dispatchers at work while tasks live; the latest version is the row's."""
    await bus.ensure_topology(ACK_WAIT)
    async with AsyncExitStack() as stack:
        for core in replicas:
            cases = core.use_cases
            relay = Relay(bus, cases.outbox, cases.dead_letters, core.signals, POLL, ACK_WAIT)
            dispatcher = Dispatcher(bus, cases.dispatch, core.signals, POLL, ACK_WAIT)
            for loop in (relay, dispatcher):
                running = asyncio.create_task(loop.run())
                stack.push_async_callback(asyncio.wait, [running])
                stack.callback(running.cancel)
        created = [await replicas[n % 3].task(f"USRC2{n:07d}") for n in range(15)]
        await asyncio.gather(*(replicas[n % 3].complete(task) for n, task in enumerate(created)))
        ids: list[str] = []
        versions: dict[str, list[int]] = defaultdict(list)
        client = await stack.enter_async_context(nats_server.client(Role.API))
        events = await client.jetstream().subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS)
        for _ in range(5 * len(created)):
            message = await events.next_msg(timeout=10)
            ids.append((message.headers or {})["ce-id"])
            event = ImportTaskEvent.FromString(message.data)
            versions[event.import_task.name].append(event.import_task.version)
        with pytest.raises(TimeoutError):
            await events.next_msg(timeout=1)
    assert len(set(ids)) == 5 * len(created)
    for task in created:
        assert sorted(versions[f"importTasks/{task.id}"]) == [1, 2, 3, 4, 5]
