"""``kill -9`` of a worker at the worst moments costs time, never a task."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import (
    first_to_die,
    first_with_a_child,
    gone,
    large,
    reads_below,
    small,
)

if TYPE_CHECKING:
    import random

    from tests.support.faults import Process, System

MEBIBYTE = 1 << 20


async def arm(processes: list[Process], failpoint: str) -> None:
    """Start them again with a failpoint: nobody knows who of them will get the work."""
    await asyncio.gather(*(each.restart(failpoint) for each in processes))


async def heal(processes: list[Process]) -> None:
    """Wait until one of them has died of its failpoint, then start all healthy."""
    victim = await first_to_die(processes)
    assert await victim.died() == -signal.SIGKILL
    await asyncio.gather(*(each.restart() for each in processes))


async def test_nothing_is_wrong_with_a_system_that_nobody_breaks(system: System) -> None:
    async with system.client() as client:
        for number in range(4):
            await client.bring(f"/well-{number}.mp4", small())
        await client.all_completed()
    await system.check()


async def test_f04_a_downloader_killed_under_way_is_resumed_by_the_next(
    laptop: System, rng: random.Random
) -> None:
    body = large(8)
    async with laptop.client() as client:
        task_id = await client.bring("/f04.wav", body, bytes_per_second=8 * MEBIBYTE)
        await client.until_fetched(task_id, rng.uniform(0.5, 0.8) * len(body))
        await laptop.downloaders[0].restart()
        laptop.end_fault()
        await client.all_completed()
    assert len(body) <= laptop.origin.served["/f04.wav"] < 1.2 * len(body)
    await laptop.check()


async def test_f04_a_downloader_of_a_fleet_is_replaced_by_another(
    fleet: System, rng: random.Random
) -> None:
    """Nobody has to start anything; into a remote store nothing can be resumed."""
    body = large(4)
    async with fleet.client() as client:
        paths = ["/f04-0.wav", "/f04-1.wav"]
        ids = [await client.bring(path, body, bytes_per_second=4 * MEBIBYTE) for path in paths]
        await client.until_fetched(ids[0], rng.uniform(0.3, 0.7) * len(body))
        victim = rng.choice(fleet.downloaders)
        victim.kill()
        fleet.end_fault()
        await client.all_completed()
        await victim.start()
    # What killed runs have uploaded waits, unseen, for a rule of the bucket.
    await fleet.check(orphans=2)


async def test_f05_a_downloader_killed_with_its_bytes_stored_and_nothing_reported(
    system: System,
) -> None:
    async with system.client() as client:
        await arm(system.downloaders, "downloader.stored=kill")
        await client.bring("/f05.mp4", small())
        await heal(system.downloaders)
        system.end_fault()
        await client.all_completed()
    await system.check(orphans=1)


@pytest.mark.parametrize("stage", ["downloader", "validator"])
async def test_f06_a_worker_killed_between_its_report_and_its_acknowledgement(
    stage: str, system: System
) -> None:
    workers = {"downloader": system.downloaders, "validator": system.validators}[stage]
    async with system.client() as client:
        await arm(workers, "worker.reported=kill")
        await client.bring(f"/f06-{stage}.mp4", small())
        await heal(workers)
        system.end_fault()
        await client.all_completed()
    await system.check()


async def test_f07_a_validator_killed_while_its_child_inspects(system: System) -> None:
    async with system.client() as client:
        await client.bring("/f07.wav", large(8))
        victim = await first_with_a_child(system.validators)
        (child,) = victim.children()
        await reads_below(child, system.folder)
        os.kill(child, signal.SIGSTOP)  # so that it cannot end by itself
        victim.kill()
        try:
            await gone(child)
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        await victim.start()
        system.end_fault()
        await client.all_completed()
    await system.check()


async def test_f07_the_child_of_a_validator_killed_alone(system: System) -> None:
    async with system.client() as client:
        task_id = await client.bring("/f07-child.wav", large(8))
        victim = await first_with_a_child(system.validators)
        os.kill(victim.children()[0], signal.SIGKILL)
        system.end_fault()
        await client.all_completed()
        found = await client.get(task_id)
    assert found["meta"]["attempts"] == 2
    assert victim.is_running
    await system.check()
