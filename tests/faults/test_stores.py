"""The store beyond the network: away, frozen, slow, forgetful; and what is checked in it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.scrub import Scrub
from services.api.signals import Signals
from services.api.use_cases.blobs import Blobs
from tests.support.faults import FLEET, STORE, first_to_die, large, rows, running_system, small
from tests.support.faults.admin import admin
from tests.support.faults.clocks import wrong_by
from tests.support.sick_s3 import Ill, in_front_of

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator

    from tests.support.faults import Client, Process, System
    from tests.support.sick_s3 import Sickness

MEBIBYTE = 1 << 20
# More than a part, so that an upload of several is under way.
FIRST_PART = 5 * MEBIBYTE
# A run that the store failed gives its task back for half a minute.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A fleet whose store is behind a link that can be cut."""
    shape = replace(FLEET, apis=1)
    with running_system(tmp_path_factory.mktemp("remote"), shape, proxied=[STORE]) as system:
        yield system


async def uploading(client: Client, path: str, rng: random.Random) -> None:
    """Ask for an import of 12 MB, and return when some of it is in the store and some is not."""
    body = large(6)
    id_ = await client.bring(path, body, bytes_per_second=len(body) // 3)
    await client.until_fetched(id_, rng.uniform(FIRST_PART, 0.8 * len(body)))


async def test_store_cut_off_within_an_upload(remote: System, rng: random.Random) -> None:
    """Nobody's fault: the run is repeated if it must be, and the task is done."""
    async with remote.client() as client:
        await uploading(client, "/cut.wav", rng)
        remote.link(STORE).drop()
        await client.bring("/cut-while-away.mp4", small())
        await asyncio.sleep(rng.uniform(0.5, 3))
        remote.link(STORE).heal()
        remote.end_fault()
        await client.all_completed()
    await remote.check(orphans=1, epsilon=PATIENCE)


async def test_store_silent_within_an_upload(remote: System, rng: random.Random) -> None:
    """What was sent is lost with the connections, when these are cut at last."""
    async with remote.client() as client:
        await uploading(client, "/silent.wav", rng)
        remote.link(STORE).blackhole()
        await client.bring("/silent-while-away.mp4", small())
        await asyncio.sleep(rng.uniform(0.5, 3))
        remote.link(STORE).heal()
        remote.end_fault()
        await client.all_completed()
    await remote.check(orphans=1, epsilon=PATIENCE)


async def test_store_frozen_within_an_upload(remote: System, rng: random.Random) -> None:
    """For longer than a lease: a run that waits for its store is alive, and is done once."""
    assert remote.s3 is not None
    async with remote.client() as client:
        await uploading(client, "/frozen.wav", rng)
        remote.s3.stop()
        await asyncio.sleep(5)
        remote.s3.cont()
        remote.end_fault()
        await client.all_completed()
    assert remote.origin.served["/frozen.wav"] == len(large(6))
    await remote.check()


async def test_store_that_is_slow(remote: System) -> None:
    """Slower than the origin: the download waits for it, in bounded memory, and is done once."""
    async with remote.client() as client:
        remote.link(STORE).slow(remote.link(STORE).up, bytes_per_second=2 * MEBIBYTE)
        await client.bring("/slow.wav", large(6))
        await client.all_completed()
        remote.link(STORE).heal()
        remote.end_fault()
        await client.bring("/slow-no-more.mp4", small())
        await client.all_completed()
    assert remote.origin.served["/slow.wav"] == len(large(6))
    await remote.check()


@pytest.fixture
def sick(remote: System) -> Iterator[tuple[str, Sickness]]:
    """A server in front of the store that can do what sick servers do."""
    with in_front_of(remote.store_endpoint) as found:
        yield found


@asynccontextmanager
async def through(sick: tuple[str, Sickness], workers: list[Process]) -> AsyncIterator[None]:
    """Let these workers reach the store through the sick server for a while."""
    await asyncio.gather(*(each.restart(AWS_ENDPOINT_URL=sick[0]) for each in workers))
    try:
        yield
    finally:
        await asyncio.gather(*(each.restart() for each in workers))


@pytest.mark.parametrize(
    ("step", "where", "seconds"),
    [
        ("create", "?uploads", 4),
        ("first-part", "partNumber=1", 4),
        ("last-part", "partNumber=2", 4),
        ("complete", "?uploadId", 4),
        ("single-put", "PUT ", 0),
    ],
)
async def test_store_whose_answer_is_lost(
    step: str, where: str, seconds: int, remote: System, sick: tuple[str, Sickness]
) -> None:
    """What was asked for is done, and nobody is told: it is asked for again."""
    async with remote.client() as client, through(sick, remote.downloaders):
        sick[1].catch(Ill.LOST, where, times=1)
        await client.bring(f"/lost-{step}", large(seconds) if seconds else small())
        remote.end_fault()
        await client.all_completed()
        assert sick[1].struck.is_set()
    # An upload whose id nobody was told of stays until a rule of the bucket removes it.
    await remote.check(orphans=1, epsilon=PATIENCE)


async def test_store_that_fails_for_who_reads(remote: System, sick: tuple[str, Sickness]) -> None:
    """A validator that cannot read judges nothing."""
    async with remote.client() as client, through(sick, remote.validators):
        sick[1].catch(Ill.BROKEN, "GET ")
        await client.bring("/unreadable.mp4", small())
        await asyncio.to_thread(sick[1].struck.wait, 20)
        await asyncio.sleep(1)
        sick[1].catch(Ill.BROKEN, "GET ", times=0)
        remote.end_fault()
        await client.all_completed()
    await remote.check(epsilon=PATIENCE)


async def test_store_orphans_are_swept_and_nothing_else_is(system: System) -> None:
    """A sweep with no age to wait for, while nothing runs; what is named is all still there."""
    async with system.client() as client:
        await client.bring("/swept-kept.mp4", small())
        await client.all_completed()
        kept = await keys(system)
        await asyncio.gather(*(w.restart("downloader.stored=kill") for w in system.downloaders))
        await client.bring("/swept.mp4", small())
        await first_to_die(system.downloaders)
        (orphan,) = await keys(system) - kept
        await asyncio.gather(*(each.restart() for each in system.downloaders))
        system.end_fault()
        await client.all_completed()
    assert orphan in await keys(system)
    assert await sweep(system) == 1
    assert orphan not in await keys(system)
    await system.check()


async def keys(system: System) -> set[str]:
    """Everything that is in the store."""
    listed = system.open_store().keys()
    return {info.key async for info in listed}


async def sweep(system: System) -> int:
    """Delete what nobody names, however young it is; gives how many keys."""
    executor = Executor(open_engines(system.database_url), Signals().notify)
    try:
        scrub = Scrub(Blobs(executor), system.open_store(), Signals())
        return await scrub.sweep(timedelta(0))
    finally:
        await executor.close()


async def test_verify_finds_a_flipped_byte_a_missing_master_and_an_orphan(
    system: System, rng: random.Random
) -> None:
    """Two hours later, as what is young may be on its way; all is put right again at the end."""
    later = wrong_by("+2h")
    async with system.client() as client:
        for number in range(3):
            await client.bring(f"/verified-{number}.mp4", small())
        await client.all_completed()
    assert (await admin(system, "verify", **later))[0] == 0
    store = system.open_store()
    named = [row["blob_key"] for row in (await rows.read(system.database_url))["records"]]
    flipped, missing = rng.sample(named, 2)
    put(system, flipped, small()[:-1] + bytes([small()[-1] ^ 1]))
    await store.delete(missing)
    put(system, "default/nobody/1/orphan", b"?")
    code, said = await admin(system, "verify", **later)
    assert code == 1, said
    found = {tuple(line.split("\t")[::2][:2]) for line in said.splitlines() if "\t" in line}
    assert found == {
        ("wrong", flipped),
        ("missing", missing),
        ("unnamed", "default/nobody/1/orphan"),
    }
    put(system, flipped, small())
    put(system, missing, small())
    code, said = await admin(system, "verify", **later)
    assert (code, said.count("\n")) == (0, 2), said
    await store.delete("default/nobody/1/orphan")
    await system.check()


async def test_verify_that_cannot_run_says_so(system: System) -> None:
    """A store that is away is not one whose masters are gone."""
    if system.s3:
        code, said = await admin(system, "verify", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    else:
        code, said = await admin(
            system, "verify", STAGEDOOR_DATABASE_URL="sqlite+aiosqlite:////nowhere/none.db"
        )
    assert code == 2, said
    assert "Traceback" not in said
    await system.check()


def put(system: System, key: str, body: bytes) -> None:
    """Write into the store, past everybody."""
    with system.open_store().create(key) as sink:
        sink.write(body)
        sink.commit()
