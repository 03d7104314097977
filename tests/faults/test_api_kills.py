"""``kill -9`` of the API at the worst moments: what it answered holds, what it did it did once."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from services.api.domain.lifecycle import Status
from tests.support import replies
from tests.support.faults import FLEET, LAPTOP, rows, running_system, small
from tests.support.faults.evidence import read_events

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from uuid import UUID

    from tests.support.faults import Client, Process, Shape, System

    Deed = Callable[[Client, UUID], Coroutine[None, None, None]]

KILLS = 5
AT_ONCE = 16
STRAIGHT = [
    Status.PENDING,
    Status.DOWNLOADING,
    Status.DOWNLOADED,
    Status.VALIDATING,
    Status.COMPLETED,
]
BURST_SECONDS = 0.3
# Long enough for a worker whose claim was not answered to ask again within its lease.
LEASE_SECONDS = "30"


async def kill_and_start(process: Process) -> None:
    """Wait until a process has died of its failpoint, then start it healthy."""
    assert await process.died() == -signal.SIGKILL
    await process.start()


def leave_alone(system: System) -> Process:
    """Kill every replica but one, which will have to do everything; gives that one."""
    for api in system.apis[1:]:
        api.kill()
    return system.apis[0]


async def story(system: System, id_: UUID) -> list[str]:
    """The statuses of a task that the world was told of, each with its version told once."""
    told = {
        event.version: event.status for event in await read_events(system) if event.task_id == id_
    }
    return [told[version] for version in sorted(told)]


def first_asked(system: System, victim: Process) -> list[Process]:
    """The victim, and behind it another replica if there is one, for a client to repeat itself."""
    return [victim, *[api for api in system.apis if api is not victim][:1]]


async def test_f01_an_api_killed_again_and_again_while_clients_create(
    system: System, rng: random.Random
) -> None:
    """Each kill lands somewhere in a burst of creates; most bring what fails quickly."""
    missing = system.serve("/f01-missing.mp4", replies.answer(404))

    async def burst(client: Client, number: int) -> list[UUID]:
        creates = [client.create(missing) for _ in range(AT_ONCE - 1)]
        return await asyncio.gather(client.bring(f"/f01-{number}.mp4", small()), *creates)

    ids: list[UUID] = []
    async with system.client() as client:
        for number in range(KILLS):
            asked = asyncio.create_task(burst(client, number))
            await asyncio.sleep(rng.uniform(0, BURST_SECONDS))
            await rng.choice(system.apis).restart()
            ids += await asked
        system.end_fault()
        ended = await client.all_final(*ids)
    assert len(ended) == KILLS * AT_ONCE
    assert sum(status == Status.COMPLETED for status in ended.values()) == KILLS
    assert client.repeats, "no kill has cut off any answer"
    await system.check()


async def test_f02_an_api_killed_between_its_commit_and_its_answer(system: System) -> None:
    """Of replicas, another one gives the same task."""
    victim = system.apis[0]
    await victim.restart("api.committed=kill")
    # The track goes to the one that lives, the task to the victim.
    async with system.client(*reversed(first_asked(system, victim))) as client:
        asked = asyncio.create_task(client.bring("/f02.mp4", small()))
        await kill_and_start(victim)
        id_ = await asked
        system.end_fault()
        assert client.repeats
        await client.all_completed(id_)
        assert (await client.get(id_))["meta"]["generation"] == 1
    await system.check()


async def _change(client: Client, id_: UUID) -> None:
    await client.patch(id_, secondaryIsrc=client.ledger.new_isrc())


async def _delete(client: Client, id_: UUID) -> None:
    await client.delete(id_)


@pytest.mark.parametrize("deed", [_change, _delete])
async def test_f02_a_change_that_was_done_and_not_answered_is_done_once(
    deed: Deed, system: System
) -> None:
    victim = system.apis[0]
    async with system.client() as client:
        id_ = await client.bring(f"/f02{deed.__name__}.mp4", small())
        await client.all_completed(id_)
    before = await rows.one(system.database_url, id_)
    await victim.restart("api.committed=kill")
    async with system.client(*first_asked(system, victim)) as client:
        asked = asyncio.create_task(deed(client, id_))
        await kill_and_start(victim)
        await asked
        assert client.repeats
        if not client.ledger.tasks[id_].deleted:
            after = await rows.one(system.database_url, id_)
            assert after["version"] == before["version"] + 1
    await system.check()


async def test_f02_a_retry_that_was_done_and_not_answered_is_done_once(system: System) -> None:
    victim = system.apis[0]
    gone_at_first = replies.answer(404), replies.file(small())
    async with system.client() as client:
        id_ = await client.create(system.serve("/f02-retry.mp4", *gone_at_first))
        assert await client.all_final(id_) == {id_: Status.DOWNLOAD_FAILED}
    await victim.restart("api.committed=kill")
    async with system.client(*first_asked(system, victim)) as client:
        asked = asyncio.create_task(client.retry(id_))
        await kill_and_start(victim)
        await asked
        system.end_fault()
        assert client.repeats
        await client.all_completed(id_)
        assert (await client.get(id_))["meta"]["generation"] == 2
    await system.check()


async def test_f03_a_relay_killed_between_sending_events_and_striking_them(
    system: System,
) -> None:
    """The event is sent again under its first id, so the broker keeps it once."""
    victim = leave_alone(system)
    await victim.restart("relay.published=kill")
    async with system.client(victim) as client:
        asked = asyncio.create_task(client.bring("/f03.mp4", small()))
        assert await victim.died() == -signal.SIGKILL
        unstruck = {row["payload"] for row in (await rows.read(system.database_url))["outbox"]}
        sent = {event.payload for event in await read_events(system)}
        assert unstruck & sent, "nothing was sent and not struck"
        await system.start_all()
        id_ = await asked
        system.end_fault()
        await client.all_completed(id_)
    await system.check()
    ids = [event.id for event in await read_events(system)]
    assert len(ids) == len(set(ids)), "the broker has an event twice"


@pytest.mark.parametrize("shape", [LAPTOP, FLEET], ids=["laptop", "fleet"])
async def test_f02_a_claim_that_was_granted_and_not_answered(shape: Shape, tmp_path: Path) -> None:
    """The worker asks again for the same run and gets the same answer: one attempt."""
    armed = {"api-1": "api.claimed=kill"}
    with running_system(
        tmp_path, shape, failpoints=armed, STAGEDOOR_LEASE_SECONDS=LEASE_SECONDS
    ) as system:
        victim = leave_alone(system)
        async with system.client(victim) as client:
            id_ = await client.bring("/f02-claim.mp4", small())
            assert await victim.died() == -signal.SIGKILL
            await system.start_all()
            system.end_fault()
            await client.all_completed(id_)
        await system.check()
        assert await story(system, id_) == STRAIGHT


@pytest.mark.parametrize("stage", ["download", "validate"])
async def test_f02_a_report_that_was_applied_and_not_acknowledged(
    stage: str, system: System
) -> None:
    """It comes again, and changes nothing."""
    victim = leave_alone(system)
    # Each replica is told of two reports by a task: the second one is the validator's.
    await victim.restart(f"api.reported=kill@{1 if stage == 'download' else 2}")
    async with system.client(victim) as client:
        id_ = await client.bring(f"/f02-report-{stage}.mp4", small())
        assert await victim.died() == -signal.SIGKILL
        await system.start_all()
        system.end_fault()
        await client.all_completed(id_)
    await system.check()
    assert await story(system, id_) == STRAIGHT
    said = [
        (event["stage"], event["applied"])
        for api in system.apis
        for event in api.events("report")
        if event["task"] == str(id_)
    ]
    assert sorted(told for told, applied in said if applied) == ["download", "validate"]
    # More than once if it took longer to answer for than the broker waits.
    assert {told for told, applied in said if not applied} == {stage}
