"""Whoever is told to stop gives its work back, and the attempt with it; nobody fails of that."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.support.faults import holding, runs, small

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from tests.support.faults import Client, Process, System

GRACE_SECONDS = 15.0
"""What a worker takes at most to give its claims back, and the rest of its end."""
BACKLOG_SECONDS = 60.0
"""What the inspections of all that has piled up may take, on a machine that does more than that."""
MORE = 4


async def load(client: Client, name: str) -> list[UUID]:
    """Imports of all kinds; returns when some of them are being downloaded."""
    body = small()
    slow = [
        await client.bring(f"/{name}-slow-{n}.mp4", body, bytes_per_second=len(body) // 8)
        for n in range(3)
    ]
    quick = [await client.bring(f"/{name}-{n}.mp4", body) for n in range(4)]
    begun = ("downloading", "downloaded", "validating")
    await asyncio.gather(*(client.until(id_, *begun) for id_ in slow))
    return slow + quick


async def stop(processes: Sequence[Process], *, impatient: bool = False) -> None:
    """SIGTERM to all of them at once; each ends well and in time.

    Who sends another one may meet a process that is done, and only has the interpreter to end.
    """
    ended = await asyncio.gather(*(each.term(GRACE_SECONDS) for each in processes))
    by_name = {each.name: end.code for each, end in zip(processes, ended, strict=True)}
    well = {0, -signal.SIGTERM} if impatient else {0}
    assert set(by_name.values()) <= well, by_name


async def unharmed(system: System, client: Client, ids: Collection[UUID]) -> None:
    """All ends well, and no stop has cost an attempt."""
    await client.all_completed(*ids, within=2 * BACKLOG_SECONDS)
    assert runs.attempts(system.workers, ids) == {1}
    for worker in system.workers:
        assert "worker_stop_cut_short" not in worker.log(of_all_runs=True), worker.name
    await system.check(epsilon=BACKLOG_SECONDS)


async def test_f35_all_services_are_stopped_under_load(system: System) -> None:
    """The broker stays: what the workers gave back waits there for the next API."""
    async with system.client() as client:
        ids = await load(client, "f35")
        await stop(system.services)
        await system.start_all()
        system.end_fault()
        await unharmed(system, client, ids)


async def test_f35_who_is_told_twice_stops_as_well(system: System, rng: random.Random) -> None:
    async with system.client() as client:
        ids = await load(client, "f35-twice")
        stopping = asyncio.create_task(stop(system.workers, impatient=True))
        for worker in system.workers:
            await asyncio.sleep(rng.uniform(0, 0.05))
            if worker.is_running:
                os.kill(worker.pid, signal.SIGTERM)
        await stopping
        await system.start_all()
        system.end_fault()
        await unharmed(system, client, ids)


async def test_f35_everything_is_stopped_at_once_and_the_broker_too(laptop: System) -> None:
    """Nobody is left to take claims back, so that leases have to end; no task is lost.

    On the laptop only: the S3 server of the fleet keeps nothing beyond its own end.
    """
    async with laptop.client() as client:
        ids = await load(client, "f35-all")
        ended = await asyncio.gather(*(each.term() for each in laptop.processes))
        services = ended[-len(laptop.services) :]
        assert {end.code for end in services} == {0}
        assert max(end.seconds for end in services) < GRACE_SECONDS
        await laptop.start_all()
        laptop.end_fault()
        await client.all_completed(*ids, within=2 * BACKLOG_SECONDS)
    await laptop.check(epsilon=BACKLOG_SECONDS)


async def test_f35_workers_that_cannot_stop_are_killed_when_their_time_is_up(
    system: System,
) -> None:
    """Nobody can take their claims back while the broker stands still: their leases end."""
    async with system.client() as client:
        ids = await load(client, "f35-kill")
        async with holding.frozen([system.nats]):
            for worker in system.workers:
                os.kill(worker.pid, signal.SIGTERM)
            await asyncio.sleep(1)
            assert any(worker.is_running for worker in system.workers)
            for worker in system.workers:
                worker.kill()
        await system.start_all()
        system.end_fault()
        await client.all_completed(*ids, within=2 * BACKLOG_SECONDS)
    await system.check(epsilon=BACKLOG_SECONDS)


async def test_f36_a_rolling_restart_under_load(system: System, rng: random.Random) -> None:
    """One process after the other, while clients ask for more; each answer is kept."""
    rolled = asyncio.Event()

    async def ask(client: Client) -> list[UUID]:
        ids = await load(client, "f36")
        for number in range(MORE):
            ids.append(await client.bring(f"/f36-more-{number}.mp4", small()))
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await rolled.wait()
        return ids

    async with system.client() as client:
        asking = asyncio.create_task(ask(client))
        for each in rng.sample(system.services, len(system.services)):
            await stop([each])
            await each.start()
        rolled.set()
        await unharmed(system, client, await asking)


async def test_f36_for_a_while_there_are_no_workers(system: System) -> None:
    """Tasks wait, however often they are dispatched; that costs them nothing."""
    async with system.client() as client:
        ids = await load(client, "f36-none")
        await stop(system.workers)
        ids += [await client.bring(f"/f36-none-more-{n}.mp4", small()) for n in range(3)]
        await asyncio.sleep(3)  # more than a lease, and several dispatches
        assert {await client.status(id_) for id_ in ids[-3:]} == {"pending"}
        await system.start_all()
        await unharmed(system, client, ids)
