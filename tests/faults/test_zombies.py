"""A worker that stood still for longer than its lease wakes up, and nobody believes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support import replies
from tests.support.faults import (
    FLEET,
    LAPTOP,
    first_with_a_child,
    large,
    rows,
    running_system,
    runs,
    small,
    throttled,
)
from tests.support.faults.shapes import LEASE_SECONDS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from uuid import UUID

    from tests.support.faults import Process, System

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """SQLite and a folder with two workers of each stage: one to freeze, one to take over."""
    shape = replace(LAPTOP, downloaders=FLEET.downloaders, validators=FLEET.validators)
    with running_system(tmp_path_factory.mktemp("laptop"), shape) as system:
        yield system


async def wakes_up_void(system: System, zombie: Process, task_id: UUID) -> None:
    """Let a zombie go on: it hears that it lost its claim, or it reports and is not believed."""
    zombie.cont()
    outcome = await runs.ended(zombie, task_id)
    if outcome != runs.VOID:
        await runs.refused_report(system.apis, runs.started(zombie, task_id)[-1]["run"])


async def records_of(system: System, task_id: UUID) -> int:
    """How many records a task has, superseded ones too."""
    found = (await rows.read(system.database_url))["records"]
    return sum(record["task_id"] == task_id for record in found)


async def test_f19_a_downloader_frozen_within_a_body(system: System, rng: random.Random) -> None:
    """It wakes up while its successor is at work, hears so at its next heartbeat, and tidies up."""
    body = large(6)
    async with system.client() as client:
        task_id = await client.bring("/f19.wav", body, bytes_per_second=5 * MEBIBYTE // 2)
        await client.until_fetched(task_id, rng.uniform(0.1, 0.3) * len(body))
        zombie = await runs.who_runs(system.downloaders, task_id)
        zombie.stop()
        await client.until_attempt(task_id, 2)
        zombie.cont()
        assert await runs.ended(zombie, task_id) == runs.VOID
        system.end_fault()
        await client.all_completed()
    assert runs.attempts(system.workers, [task_id]) == {1, 2}
    await system.check()


async def test_f19_a_lone_downloader_frozen_within_a_body_goes_on(
    laptop: System, rng: random.Random
) -> None:
    """Its lease has run out, but nobody took the claim: the bytes that it has are good.

    On the laptop only: nothing here is about the engines, and it takes a lease of doing nothing.
    """
    worker, other = laptop.downloaders
    body = large(6)
    async with laptop.client() as client:
        other.kill()
        task_id = await client.bring("/f19-lone.wav", body, bytes_per_second=4 * MEBIBYTE)
        await client.until_fetched(task_id, rng.uniform(0.2, 0.6) * len(body))
        worker.stop()
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        worker.cont()
        laptop.end_fault()
        await client.all_completed()
        await other.start()
    assert runs.attempts(laptop.workers, [task_id]) == {1}
    assert laptop.origin.served["/f19-lone.wav"] < 1.2 * len(body)
    await laptop.check()


@pytest.mark.parametrize("failpoint", ["worker.claimed", "downloader.stored"])
async def test_f19_a_downloader_frozen_at_a_failpoint(failpoint: str, system: System) -> None:
    """When it wakes up its successor is done: what it has stored, or still stores, is deleted."""
    async with system.client() as client:
        bring = partial(client.bring, f"/f19-{failpoint}.mp4", small())
        zombie, task_id = await runs.stopped_alone(system.downloaders, failpoint, bring)
        await client.all_completed()
        await wakes_up_void(system, zombie, task_id)
    await system.check()


async def test_f19_a_zombie_takes_the_command_away_and_its_successor_dies(system: System) -> None:
    """No broker knows whose acknowledgement counts: the row, still due, is dispatched again."""
    body = large(4)
    async with system.client() as client:
        slow = throttled(replies.file(body), len(body) // 20)
        url = system.serve("/f19-ack.wav", replies.file(body), slow, replies.file(body))
        bring = partial(client.create, url)
        zombie, task_id = await runs.stopped_alone(system.downloaders, "downloader.stored", bring)
        await client.until_attempt(task_id, 2)
        await wakes_up_void(system, zombie, task_id)
        (successor,) = (each for each in system.downloaders if each is not zombie)
        await successor.restart()
        system.end_fault()
        await client.all_completed()
    # A run of the fleet that is killed leaves what it has uploaded to a rule of the bucket.
    await system.check(orphans=1)


@pytest.mark.parametrize("failpoint", ["worker.claimed", "validator.judged"])
async def test_f20_a_validator_frozen_at_a_failpoint(failpoint: str, system: System) -> None:
    """Its verdict comes when there is a record already, and makes no second one."""
    async with system.client() as client:
        bring = partial(client.bring, f"/f20-{failpoint}.mp4", small())
        zombie, task_id = await runs.stopped_alone(system.validators, failpoint, bring)
        await client.all_completed()
        await wakes_up_void(system, zombie, task_id)
    assert await records_of(system, task_id) == 1
    await system.check()


async def test_f20_a_validator_frozen_while_its_child_inspects(system: System) -> None:
    """The child inspects to its end; nobody listens any more."""
    async with system.client() as client:
        task_id = await client.bring("/f20.wav", large(8))
        zombie = await first_with_a_child(system.validators)
        zombie.stop()
        await client.all_completed()
        await wakes_up_void(system, zombie, task_id)
    assert await records_of(system, task_id) == 1
    await system.check()
