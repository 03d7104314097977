"""F25: whose clock is wrong costs nothing: leases go by one clock, which is the database's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import grpc
import pytest

from stagedoor.v1.import_task_service_pb2 import WatchImportTasksRequest
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from tests.support.faults import large, small
from tests.support.faults.clocks import wrong_by
from tests.support.faults.shapes import LEASE_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.support.faults import Client, Process, System

# Of the machine, of which PostgreSQL's clock is the same; creating a task takes less.
NEAR = timedelta(minutes=1)


async def restart(processes: Sequence[Process], **env: str) -> None:
    """Start all of them again, at the same time."""
    await asyncio.gather(*(each.restart(**env) for each in processes))


async def bring_longer_than_a_lease(client: Client, path: str) -> UUID:
    """Ask for an import that needs its claim renewed, time and again, to be done once."""
    body = large(4)
    return await client.bring(path, body, bytes_per_second=int(len(body) / (2 * LEASE_SECONDS)))


def made_at(found: dict[str, dict[str, str]]) -> datetime:
    """When a task was made, as the API shows it."""
    return datetime.fromisoformat(found["attributes"]["createdAt"])


@pytest.mark.parametrize("offset", ["-30s", "+2h"])
async def test_f25_workers_whose_clocks_are_wrong(
    offset: str, system: System, rng: random.Random
) -> None:
    """They keep their claims for as long as they work, and lose them when they die."""
    async with system.client() as client:
        await restart(system.workers, **wrong_by(offset))
        path = f"/f25-{system.shape.apis}{offset}.wav"
        id_ = await bring_longer_than_a_lease(client, path)
        await client.bring(f"{path}.mp4", small())
        await client.all_completed()
        assert system.origin.served[path] == len(large(4)), "it was downloaded more than once"
        assert (await client.get(id_))["meta"]["attempts"] == 1
        doomed = await bring_longer_than_a_lease(client, f"{path}.killed")
        await client.until_fetched(doomed, rng.uniform(0.1, 0.6) * len(large(4)))
        await restart(system.downloaders, **wrong_by(offset))
        system.end_fault()
        await client.all_completed()
        await restart(system.workers)
    await system.check(orphans=1)


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_f25_a_replica_whose_clock_is_wrong(offset: str, fleet: System) -> None:
    """In a fleet: the clock is PostgreSQL's. No claim ends early, and times are true."""
    wrong = fleet.apis[0]
    async with fleet.client(wrong) as client:
        await wrong.restart(**wrong_by(offset))
        path = f"/f25-api{offset}.wav"
        id_ = await bring_longer_than_a_lease(client, path)
        assert abs(made_at(await client.get(id_)) - datetime.now(UTC)) < NEAR
        await client.all_completed()
        assert fleet.origin.served[path] == len(large(4)), "it was downloaded more than once"
        await wrong.restart()
    await fleet.check()


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_f25_replicas_that_are_all_wrong_find_the_dead(
    offset: str, fleet: System, rng: random.Random
) -> None:
    """In a fleet, as above: one lease after their start they believe a silent run to be dead."""
    async with fleet.client() as client:
        await restart(fleet.apis, **wrong_by(offset))
        id_ = await bring_longer_than_a_lease(client, f"/f25-dead{offset}.wav")
        await client.until_fetched(id_, rng.uniform(0.1, 0.6) * len(large(4)))
        await restart(fleet.downloaders)
        fleet.end_fault()
        await client.all_completed()
        await restart(fleet.apis)
    await fleet.check(orphans=1)


async def test_f25_replicas_that_are_behind_do_not_take_their_own_absence_for_death(
    fleet: System, rng: random.Random
) -> None:
    """In a fleet, as above. While they are away nobody can renew a claim."""
    path, body = "/f25-away.wav", large(4)
    async with fleet.client() as client:
        id_ = await client.bring(path, body, bytes_per_second=len(body) // 8)
        await client.until_fetched(id_, rng.uniform(0.05, 0.1) * len(body))
        for api in fleet.apis:
            api.kill()
        await asyncio.sleep(LEASE_SECONDS + 0.5)
        await restart(fleet.apis, **wrong_by("-1h"))
        fleet.end_fault()
        await client.all_completed()
        assert fleet.origin.served[path] == len(body), "a run that lived was taken for dead"
        await restart(fleet.apis)
    await fleet.check()


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
async def test_f25_who_watches_from_now_on_sees_what_happens_now(
    offset: str, fleet: System
) -> None:
    """In a fleet, as above: changes have the time of PostgreSQL."""
    wrong = fleet.apis[0]
    async with fleet.client() as client:
        before = await client.bring(f"/f25-before{offset}.mp4", small())
        await client.all_completed()
        await wrong.restart(**wrong_by(offset))
        watching = asyncio.create_task(first_seen(fleet, wrong))
        id_ = before
        while not watching.done():
            id_ = await client.bring(f"/f25-{offset}-{id_}.mp4", small())
            await asyncio.wait({watching}, timeout=1)
        assert await watching != before
        await client.all_completed()
        await wrong.restart()
    await fleet.check()


async def first_seen(system: System, api: Process) -> UUID:
    """The task of the first change that a watch from now on tells of. Raises AioRpcError."""
    metadata = (("authorization", f"Bearer {system.token}"),)
    async with grpc.aio.insecure_channel(api.answer["grpc"]) as channel:
        stub = ImportTaskServiceStub(channel)
        watch = stub.WatchImportTasks(WatchImportTasksRequest(), metadata=metadata, timeout=15)
        async for said in watch:
            return UUID(said.import_task.name.rpartition("/")[2])
    raise AssertionError("the watch ended and told nothing")


async def test_f25_an_api_whose_clock_is_the_database_s(laptop: System, rng: random.Random) -> None:
    """On a laptop: SQLite has no clock of its own, so what the API believes is so for all."""
    path = "/f25-laptop.wav"
    async with laptop.client() as client:
        await laptop.apis[0].restart(**wrong_by("+1h"))
        id_ = await bring_longer_than_a_lease(client, path)
        await client.all_completed()
        assert laptop.origin.served[path] == len(large(4)), "it was downloaded more than once"
        ahead = made_at(await client.get(id_)) - datetime.now(UTC)
        assert abs(ahead - timedelta(hours=1)) < NEAR
        doomed = await bring_longer_than_a_lease(client, f"{path}.killed")
        await client.until_fetched(doomed, rng.uniform(0.1, 0.6) * len(large(4)))
        await restart(laptop.downloaders)
        laptop.end_fault()
        await client.all_completed()
    await laptop.check()
    async with laptop.client() as client:
        await laptop.apis[0].restart()  # an hour back: the newest rows are of a time to come
        await client.bring("/f25-laptop-after.mp4", small())
        await client.all_completed()
    await laptop.check()
