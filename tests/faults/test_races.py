"""Changes win over the work that is under way, and over each other one at a time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from services.api.domain.lifecycle import Status
from shared.bus import streams
from tests.support import replies
from tests.support.faults import (
    RefusedError,
    broker,
    first_with_a_child,
    holding,
    large,
    rows,
    runs,
    small,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Coroutine
    from typing import Any
    from uuid import UUID

    from tests.support.faults import Client, System

ROUNDS = 50
OTHER = small(48)
OTHER_MD5 = hashlib.md5(OTHER).hexdigest()
# Many heartbeats, and much less than the body takes that a run could end with.
SOON = 10.0
NOT_FOUND, PRECONDITION_FAILED, INVALID = 404, 412, 422


async def refusal(call: Awaitable[Any]) -> int:
    """The status with which a call is refused; 0 when it is not."""
    try:
        await call
    except RefusedError as refused:
        return refused.status
    return 0


async def wait_in_line(system: System, reports: int) -> None:
    """Wait until so many reports are with the broker, and nobody reads them."""
    async with asyncio.timeout(30):
        while await broker.waiting(system, streams.REPORTS) < reports:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


async def change_url(system: System, client: Client, id_: UUID, path: str) -> None:
    """Give a task the URL of another master."""
    await client.patch(id_, url=system.serve(path, replies.file(OTHER)), md5=OTHER_MD5)


@pytest.mark.parametrize("status", Status)
async def test_f30_a_new_url_in_each_status(status: Status, system: System) -> None:
    """A new generation, of the new bytes only; of the old ones nothing is left."""
    async with system.client() as client:
        async with holding.held(system, client, status, "f30") as id_:
            await change_url(system, client, id_, f"/f30-{status}-anew")
            found = await client.get(id_)
        assert found["meta"]["generation"] == 2
        system.end_fault()
        await client.all_completed(id_)
    await system.check()


async def test_f30_a_new_url_ends_the_old_download_and_its_part(system: System) -> None:
    async with (
        system.client() as client,
        holding.held(system, client, Status.DOWNLOADING, "f30-part") as id_,
    ):
        worker = await runs.who_runs(system.downloaders, id_)
        await change_url(system, client, id_, "/f30-part-anew")
        assert await runs.first_end(worker, id_, SOON) == runs.VOID
        system.end_fault()
        await client.all_completed(id_)
    await system.check()


async def test_f30_new_urls_at_random_moments(system: System, rng: random.Random) -> None:
    """Whatever a run is doing then, the bytes of the last URL are those of the record."""

    async def restless(client: Client, number: int) -> UUID:
        path = f"/f30-random-{number}"
        rate = rng.choice([0, 20_000])
        id_ = await client.bring(path, small(), bytes_per_second=rate)
        for change in range(2):
            await asyncio.sleep(rng.uniform(0, 2))
            await change_url(system, client, id_, f"{path}-{change}")
        return id_

    async with system.client() as client:
        ids = await asyncio.gather(*(restless(client, number) for number in range(5)))
        await client.all_completed(*ids)
    await system.check()


async def test_f31_a_new_isrc_that_races_with_the_record_that_takes_it(
    system: System, rng: random.Random
) -> None:
    """The report and the change wait for the API, which is let go when both are there."""
    async with system.client() as client:
        rival = await client.bring("/f31-rival.mp4", small())
        await client.all_completed(rival)
        for number in range(4):
            isrc = client.ledger.new_isrc()
            id_ = await client.bring(f"/f31-{number}.wav", large(4), isrc=isrc)
            status = await _race(system, client, rng, rival, isrc)
            ended = (await client.all_final(id_))[id_]
            assert (status, ended) in {(0, "validation_failed"), (INVALID, "completed")}
            if ended != Status.COMPLETED:
                found = await client.get(id_)
                assert found["meta"]["failure"]["code"] == "isrc_taken"
    await system.check()


async def _race(system: System, client: Client, rng: random.Random, rival: UUID, isrc: str) -> int:
    """Let the record and the rival's new ISRC come at once; gives the change's refusal, if any."""
    (child,) = (await first_with_a_child(system.validators)).children()
    os.kill(child, signal.SIGSTOP)
    async with holding.frozen(system.apis):
        os.kill(child, signal.SIGCONT)
        await wait_in_line(system, 1)
        change = asyncio.create_task(refusal(client.patch(rival, secondaryIsrc=isrc)))
        await asyncio.sleep(rng.uniform(0, 0.1))
    return await change


async def test_f31_records_that_race_for_one_isrc(system: System) -> None:
    """Two masters are judged, and both reports wait for the API: it takes them in one batch."""
    isrc = system.ledger.new_isrc()
    async with system.client() as client:
        async with holding.frozen(system.validators):
            ids = [await client.bring(f"/f31-both-{n}.mp4", small(), isrc=isrc) for n in range(2)]
            for id_ in ids:
                await client.until(id_, Status.DOWNLOADED)
        ended = await client.all_final(*ids)
    assert sorted(ended.values()) == ["completed", "validation_failed"]
    await system.check()


async def test_f34_two_changes_of_one_version(system: System) -> None:
    """Of two clients that saw the same version one is told that it saw an old one."""
    async with system.client() as client:
        async with holding.held(system, client, Status.PENDING, "f34") as id_:
            for _ in range(ROUNDS):
                tag, isrcs = await client.etag(id_), [client.ledger.new_isrc() for _ in range(2)]
                both = [client.patch(id_, if_match=tag, secondaryIsrc=isrc) for isrc in isrcs]
                ended = await asyncio.gather(*map(refusal, both))
                assert sorted(ended) == [0, PRECONDITION_FAILED]
            assert (await _version(system, id_)) == ROUNDS + 1
        await client.all_completed(id_)
    await system.check()


async def test_f34_two_changes_of_different_attributes(system: System) -> None:
    """Neither takes the other one back: what is read before a change is read behind its lock."""
    profiles = ["apple-music", "atmos"]
    async with system.client() as client:
        async with holding.held(system, client, Status.PENDING, "f34-apart") as id_:
            for number in range(ROUNDS):
                wanted = {
                    "secondaryIsrc": client.ledger.new_isrc(),
                    "deliveryProfile": profiles[number % 2],
                }
                await asyncio.gather(
                    *(client.patch(id_, **{name: value}) for name, value in wanted.items())
                )
                attributes = (await client.get(id_))["attributes"]
                assert {name: attributes[name] for name in wanted} == wanted
            assert (await _version(system, id_)) == 2 * ROUNDS + 1
        await client.all_completed(id_)
    await system.check()


async def test_f34_a_change_and_a_delete_of_one_version(system: System, rng: random.Random) -> None:
    """One of them wins; who loses is told, and what was deleted stays so."""
    won = set()
    async with system.client() as client, holding.frozen(system.downloaders):
        for number in range(ROUNDS):
            id_ = await client.bring(f"/f34-gone-{number}.mp4", small())
            tag = await client.etag(id_)
            changed, deleted = await _either_first(
                rng,
                refusal(client.patch(id_, if_match=tag, secondaryIsrc=client.ledger.new_isrc())),
                refusal(client.delete(id_, if_match=tag)),
            )
            assert (changed, deleted) in {(0, PRECONDITION_FAILED), (NOT_FOUND, 0)}
            won.add(deleted == 0)
            await client.delete(id_)
            assert await refusal(client.get(id_)) == NOT_FOUND
    assert won == {True, False}, "one side always wins: this is no race"
    await system.check()


async def _either_first(rng: random.Random, *calls: Coroutine[Any, Any, int]) -> list[int]:
    """What calls give that are begun in any order."""
    tasks: dict[int, asyncio.Task[int]] = {}
    for number in rng.sample(range(len(calls)), len(calls)):
        tasks[number] = asyncio.create_task(calls[number])
    return await asyncio.gather(*(tasks[number] for number in range(len(calls))))


async def _version(system: System, id_: UUID) -> int:
    found = (await rows.read(system.database_url))["import_tasks"]
    return next(int(row["version"]) for row in found if row["id"] == id_)
