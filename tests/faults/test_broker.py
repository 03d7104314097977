"""Whatever happens to the broker is delay: the API answers, and all is done afterwards."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from shared.bus import streams
from tests.support.faults import (
    FLEET,
    LAPTOP,
    broker,
    first_to_die,
    large,
    rows,
    running_system,
    small,
)
from tests.support.tmpfs import small_disk

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.support.faults import Client, Process, Shape, System
    from tests.support.tmpfs import SmallDisk

MEBIBYTE = 1 << 20
# Of a processor, for what only waits; a loop that takes no breath takes all that it gets.
MOST_OF_A_PROCESSOR = 0.08


async def bring_some(client: Client, name: str, number: int = 2) -> list[UUID]:
    """Ask for small imports."""
    return [await client.bring(f"/{name}-{n}.mp4", small()) for n in range(number)]


async def bring_slow(client: Client, name: str, rng: random.Random) -> UUID:
    """Ask for an import that takes two seconds, and return somewhere in its middle."""
    body = large(4)
    id_ = await client.bring(f"/{name}.wav", body, bytes_per_second=len(body) // 2)
    await client.until_fetched(id_, rng.uniform(0.2, 0.7) * len(body))
    return id_


async def mended(system: System, client: Client) -> None:
    """Now all must become well."""
    system.end_fault()
    await client.all_completed()
    assert client.repeats == 0, "the API did not answer at once"


@contextmanager
def at_ease(processes: list[Process], seconds: float) -> Iterator[None]:
    """Insist that processes that can only wait so long do little else."""
    before = {each.name: each.cpu_seconds() for each in processes}
    yield
    took = {each.name: each.cpu_seconds() - before[each.name] for each in processes}
    busy = {name: cpu for name, cpu in took.items() if cpu > MOST_OF_A_PROCESSOR * seconds}
    assert not busy, f"processor seconds within {seconds} s: {busy}"


async def test_f08_apis_that_begin_without_a_broker(system: System) -> None:
    async with system.client() as client:
        await bring_some(client, "f08-before")
        system.nats.kill()
        for api in system.apis:
            await api.restart()
        await bring_some(client, "f08-without")
        await says(client, "degraded")
        await system.nats.start()
        await says(client, "ready")
        await mended(system, client)
    await system.check()


async def test_f08_a_broker_killed_and_back_after_a_second(
    system: System, rng: random.Random
) -> None:
    async with system.client() as client:
        await bring_some(client, "f08-before")
        await bring_slow(client, "f08-under-way", rng)
        system.nats.kill()
        await bring_some(client, "f08-while-away")
        await asyncio.sleep(1)
        await system.nats.start()
        await mended(system, client)
    await system.check(orphans=1)  # on a machine so slow that the lease ended


async def test_f08_a_broker_killed_and_back_after_20_seconds(
    laptop: System, fleet: System, rng: random.Random
) -> None:
    """Both at the same time, so that it takes 20 s once; nobody is busy with waiting."""

    async def away(system: System) -> None:
        async with system.client() as client:
            await bring_slow(client, "f08-long-under-way", rng)
            system.nats.kill()
            await bring_some(client, "f08-long-while-away")
            await asyncio.sleep(4)  # a run that was under way is over
            with at_ease(system.services, 15):
                await asyncio.sleep(15)
            await bring_some(client, "f08-long-last", 1)
            await system.nats.start()
            await mended(system, client)
        # The run that was under way outlived its lease: what it stored waits for the scrub.
        await system.check(orphans=1)

    await asyncio.gather(away(laptop), away(fleet))


async def test_f09_a_broker_killed_and_its_store_wiped(system: System, rng: random.Random) -> None:
    async with system.client() as client:
        await bring_some(client, "f09-before", 3)
        await bring_slow(client, "f09-under-way", rng)
        system.nats.kill()
        system.wipe_broker()
        await bring_some(client, "f09-while-away")
        await system.nats.start()
        await mended(system, client)
    # What a run has stored whose report was wiped away waits for the scrub's safe age.
    await system.check(events_lost=True, orphans=6)


async def test_f09_reports_wiped_that_nobody_had_read(system: System) -> None:
    """The broker has said that it keeps them, so the workers have forgotten them."""
    async with system.client() as client:
        body = large(2)
        id_ = await client.bring("/f09-report.wav", body, bytes_per_second=len(body))
        await client.until(id_, "downloading")
        for api in system.apis:
            api.stop()
        async with asyncio.timeout(20):
            while not await broker.waiting(system, streams.REPORTS):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        system.nats.kill()
        system.wipe_broker()
        await system.nats.start()
        for api in system.apis:
            api.cont()
        system.end_fault()
        await client.all_completed()
        assert (await client.get(id_))["meta"]["attempts"] >= 1
    assert system.origin.served["/f09-report.wav"] > len(body), "no second run"
    await system.check(events_lost=True, orphans=1)


async def test_f10_a_broker_frozen_for_15_seconds(
    laptop: System, fleet: System, rng: random.Random
) -> None:
    """Both at the same time; the API answers all the while, each time within moments."""

    async def frozen(system: System) -> None:
        clock = asyncio.get_running_loop().time
        async with system.client() as client:
            await bring_slow(client, "f10-under-way", rng)
            system.nats.stop()
            until = clock() + 15
            while clock() < until:
                async with asyncio.timeout(5):
                    (id_,) = await bring_some(client, f"f10-{clock()}", 1)
                    assert await client.status(id_) == "pending"
                await asyncio.sleep(4)
            system.nats.cont()
            await mended(system, client)
        await system.check(orphans=1)  # as above

    await asyncio.gather(frozen(laptop), frozen(fleet))


@pytest.fixture
def store_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk where the broker of a system in ``tmp_path`` has its streams."""
    with small_disk(tmp_path / "nats-store", 24 * MEBIBYTE) as disk:
        yield disk


@pytest.mark.parametrize("shape", [LAPTOP, FLEET], ids=["laptop", "fleet"])
async def test_f11_a_full_disk_below_the_broker(
    shape: Shape, store_disk: SmallDisk, tmp_path: Path
) -> None:
    """nats-server gives its streams up when their disk is full, so it is started again."""
    with running_system(tmp_path, shape) as system:
        async with system.client() as client:
            await bring_some(client, "f11-before")
            store_disk.fill()
            await bring_some(client, "f11-while-full")
            await says(client, "degraded")
            await bring_some(client, "f11-while-degraded", 1)
            store_disk.make_room()
            await system.nats.restart()
            await mended(system, client)
            await says(client, "ready")
        await system.check()


async def says(client: Client, status: str, within: float = 30.0) -> None:
    """Wait until every replica says so at /readyz; all serve requests, whatever they say."""
    async with asyncio.timeout(within):
        while set(await client.readiness()) != {(HTTPStatus.OK, status)}:  # noqa: ASYNC110 - as it is asked
            await asyncio.sleep(0.1)


@asynccontextmanager
async def full(system: System, *names: str) -> AsyncIterator[None]:
    """Streams that take no more while the context lasts.

    Each replica corrects their sizes when it starts, and then not for half a minute.
    """
    await asyncio.gather(*(api.restart() for api in system.apis))
    before = await broker.topology(system)
    async with asyncio.timeout(20):
        while not await stay_small(system, *names):
            pass
    try:
        yield
    finally:
        async with broker.operator(system) as js:
            for name in names:
                await js.update_stream(before[name])


async def stay_small(system: System, *names: str) -> bool:
    """Make streams as small as they are full, and see whether somebody corrects that."""
    sizes = [await broker.shrink(system, name) for name in names]
    await asyncio.sleep(1)
    now = await broker.topology(system)
    return [now[name].max_bytes for name in names] == sizes


async def test_f12_full_streams_are_waited_for(system: System) -> None:
    async with system.client() as client:
        async with full(system, *broker.STREAMS):
            await bring_some(client, "f12")
            await asyncio.sleep(3)
            assert (await rows.read(system.database_url))["outbox"], "nothing was full"
            for api in system.apis:
                # After 0.2 s, 0.4 s, 0.8 s, 1.6 s; a loop that took no breath would have hundreds.
                for delay in ("dispatch_delayed", "events_delayed"):
                    assert api.log().count(f'"{delay}"') <= 6
            assert any("maximum bytes exceeded" in api.log() for api in system.apis)
        await mended(system, client)
    await system.check()


async def test_f12_a_full_stream_of_reports_keeps_the_worker_waiting(system: System) -> None:
    async with system.client() as client:
        async with full(system, streams.REPORTS):
            waited = count_logged(system.downloaders, "report_waits")  # in an earlier test
            (id_,) = await bring_some(client, "f12-reports", 1)
            async with asyncio.timeout(20):
                while count_logged(system.downloaders, "report_waits") == waited:  # noqa: ASYNC110 - a file tells nobody
                    await asyncio.sleep(0.05)
            assert await client.status(id_) == "downloading"
        await mended(system, client)
    assert system.origin.served["/f12-reports-0.mp4"] == len(small()), "it was fetched again"
    await system.check()


def count_logged(processes: list[Process], event: str) -> int:
    """How often they have told of an event since they were started."""
    return sum(len([*each.events(event)]) for each in processes)


async def test_f37_streams_deleted_by_an_operator(system: System, rng: random.Random) -> None:
    wanted = await broker.topology(system)
    async with system.client() as client, broker.operator(system) as js:
        for stream in rng.sample(broker.STREAMS, 3):
            await bring_some(client, f"f37-before-{stream}", 1)
            await js.delete_stream(stream)
            await bring_some(client, f"f37-after-{stream}", 1)
            await mended(system, client)
    # A run whose report was in the stream is run again; what it had stored is swept later.
    await system.check(events_lost=True, orphans=6)
    assert await broker.topology(system) == wanted


async def test_f37_consumers_deleted_by_an_operator(laptop: System, fleet: System) -> None:
    """Both at the same time: nobody tells the API, so it looks every 30 s."""

    async def deleted(system: System) -> None:
        wanted = await broker.topology(system)
        async with system.client() as client, broker.operator(system) as js:
            await bring_some(client, "f37-consumers-before")
            for stream, consumer in broker.CONSUMERS:
                await js.delete_consumer(stream, consumer)
            await bring_some(client, "f37-consumers-after")
            await mended(system, client)
        await system.check(epsilon=30 + 25)
        assert await broker.topology(system) == wanted

    await asyncio.gather(deleted(laptop), deleted(fleet))


async def test_a_dispatcher_killed_with_its_commands_sent(system: System) -> None:
    """F03's like: the rows are still due, the commands go out again, and nothing is done twice."""
    async with system.client() as client:
        await asyncio.gather(*(api.restart("dispatcher.published=kill") for api in system.apis))
        asked = asyncio.create_task(bring_some(client, "sent"))
        victim = await first_to_die(system.apis)
        assert await victim.died() == -signal.SIGKILL
        await asyncio.gather(*(api.restart() for api in system.apis))
        system.end_fault()
        await asked
        await client.all_completed()
    await system.check()


async def test_a_dispatcher_that_wakes_late_moves_no_row_on_that_has_changed(
    fleet: System,
) -> None:
    """A fleet only: the other replicas bring to its end what the frozen one had sent."""
    victim, *others = fleet.apis
    async with fleet.client(*others) as client:
        await victim.restart("dispatcher.published=stop")
        await bring_until_stopped(client, victim)
        await client.all_completed()
        victim.cont()
        await bring_some(client, "late-last", 1)
        await client.all_completed()
    await fleet.check()


async def bring_until_stopped(client: Client, process: Process) -> None:
    """Ask for small imports until a process stops at its failpoint."""
    for number in range(30):
        await bring_some(client, f"until-stopped-{number}", 1)
        with suppress(TimeoutError):
            await process.stopped(within=0.5)
            return
    raise AssertionError(f"{process.name} never stopped")
