"""A full disk, of whomever, and hardly any descriptors: all of that is delay."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import socket
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support import replies
from tests.support.faults import LAPTOP, large, running_system, small
from tests.support.origin import Gate
from tests.support.tmpfs import small_disk

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from tests.support.faults import Client, Process, System
    from tests.support.origin import Exchange, Reply
    from tests.support.tmpfs import SmallDisk

MEBIBYTE = 1 << 20
DISK = 24 * MEBIBYTE
MOST_AT_ONCE = 8
# One a second, and the machine may be slow; asyncio alone would write hundreds.
MOST_LINES = 30
# Within which a download that met a full disk, or no descriptors, is not tried again.
PATIENCE = 60.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk."""
    with small_disk(tmp_path / "disk", DISK) as disk:
        yield disk


@pytest.fixture
def small_database(tmp_path: Path, disk: SmallDisk) -> Iterator[System]:
    """A laptop whose database is on the small disk."""
    folder = tmp_path / "system"
    folder.mkdir()
    (folder / "stagedoor.db").symlink_to(disk.root / "stagedoor.db")
    with running_system(folder, LAPTOP) as system:
        yield system


@pytest.fixture
def small_store(tmp_path: Path, disk: SmallDisk) -> Iterator[System]:
    """A laptop whose masters are on the small disk."""
    folder = tmp_path / "system"
    folder.mkdir()
    (folder / "blobs").symlink_to(disk.blobs)
    with running_system(folder, LAPTOP) as system:
        yield system


async def test_f16_the_disk_of_the_database_full(
    small_database: System, disk: SmallDisk, rng: random.Random
) -> None:
    """On a laptop only: PostgreSQL's disk is its operator's. Who reads is answered."""
    system, body = small_database, large(4)
    async with system.client() as client:
        id_ = await client.bring("/f16.wav", body, bytes_per_second=len(body) // 2)
        await client.until_fetched(id_, rng.uniform(0.1, 0.8) * len(body))
        disk.fill()
        url = system.serve("/gone.mp4", replies.answer(404))
        async with asyncio.TaskGroup() as group:
            for _ in range(MOST_AT_ONCE):
                group.create_task(client.create(url))
            async with asyncio.timeout(20):
                while client.repeats < MOST_AT_ONCE:  # noqa: ASYNC110 - a client tells nobody
                    await asyncio.sleep(0.05)
            assert await client.status(id_) in {"downloading", "downloaded", "validating"}
            assert [status for status, _ in await client.readiness()] == [HTTPStatus.OK]
            disk.make_room()
        system.end_fault()
        await client.all_final()
        await client.all_completed(id_)
    with closing(sqlite3.connect(disk.root / "stagedoor.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    await system.check(orphans=1)


async def test_f27_a_disk_that_is_full_before_a_download(
    small_store: System, disk: SmallDisk
) -> None:
    """Of a folder only: a store beyond the network has no disk that we could fill."""
    system, (downloader,) = small_store, small_store.downloaders
    async with system.client() as client:
        disk.fill()
        await downloader.logged("worker_paused")
        id_ = await client.bring("/f27.wav", large(3))
        await asyncio.sleep(2)  # long enough for a worker that does not mind
        assert await charged(client, id_) == ("pending", 0)
        assert system.origin.requests == []
        disk.make_room()
        system.end_fault()
        await client.all_completed()
        await downloader.logged("worker_resumed")
    await system.check()


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_f27_a_disk_that_fills_within_a_body(small_store: System, disk: SmallDisk) -> None:
    """Of a folder only, as above; of unknown length, so that no room is reserved.

    What is there already is given up: a part's own room is no room to go on.
    """
    system, (downloader,) = small_store, small_store.downloaders
    body, gate = large(3), Gate()
    url = system.serve("/f27-under-way.wav", in_two_chunks(body, MEBIBYTE, gate))
    async with system.client() as client:
        id_ = await client.create(url, md5=hashlib.md5(body).hexdigest())
        await gate.reached()
        disk.fill()
        gate.open()
        async with asyncio.timeout(30):
            while await charged(client, id_) != ("downloading", 0):  # noqa: ASYNC110 - a client asks
                await asyncio.sleep(0.05)
        assert disk.files() == []
        await downloader.logged("worker_paused")
        disk.make_room()
        system.end_fault()
        await client.all_completed(within=120)
    await system.check(epsilon=PATIENCE + 25)


async def charged(client: Client, id_: UUID) -> tuple[str, int]:
    """The status of a task, and how many attempts were charged to it."""
    found = await client.get(id_)
    return found["attributes"]["status"], found["meta"]["attempts"]


def in_two_chunks(body: bytes, at: int, gate: Gate) -> Reply:
    """Serve a file of unknown length that waits half-way."""

    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, Transfer_Encoding="chunked")
        for piece in (body[:at], body[at:]):
            await exchange.raw(b"%x\r\n" % len(piece))
            await exchange.body(piece)
            await exchange.raw(b"\r\n")
            await gate.pass_through()
        await exchange.raw(b"0\r\n\r\n")

    return reply


@contextmanager
def hardly_any_descriptors(process: Process, spare: int) -> Iterator[None]:
    """Let a process that runs open no more than a few files and connections."""
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    # Numbers are given out from below, so what is above the limit already stays open.
    limit = process.fds() + spare
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)


async def test_f28_an_api_with_hardly_any_descriptors(system: System) -> None:
    """Who comes too late is not heard, so its probe fails too; whoever is connected is served."""
    api = system.apis[0]
    async with system.client(api) as client, aiohttp.ClientSession() as kept:
        await client.bring(f"/f28-{system.shape.apis}-before.mp4", small())
        readyz = api.answer["http"] + "/readyz"
        assert (await answer(kept, readyz)) == HTTPStatus.OK
        with hardly_any_descriptors(api, 4), connections(api, 40):
            async with aiohttp.ClientSession() as late:
                with pytest.raises(TimeoutError):
                    await answer(late, readyz, within=2)
            assert (await answer(kept, readyz)) == HTTPStatus.OK
            assert api.is_running
        system.end_fault()
        await client.bring(f"/f28-{system.shape.apis}-after.mp4", small())
        await client.all_completed()
        assert [status for status, _ in await client.readiness()] == [HTTPStatus.OK]
        assert 0 < api.log().count("connections_wait") < MOST_LINES
    await system.check()


async def answer(session: aiohttp.ClientSession, url: str, within: float = 10) -> int:
    """The status of one answer. Raises TimeoutError, aiohttp.ClientError."""
    limit = aiohttp.ClientTimeout(total=within)
    async with session.get(url, timeout=limit) as answered:
        await answered.read()
        return answered.status


@contextmanager
def connections(api: Process, number: int) -> Iterator[None]:
    """Hold so many connections to the HTTP door."""
    host, _, port = api.answer["http"].removeprefix("http://").rpartition(":")
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(closing(socket.create_connection((host, int(port)), timeout=5)))
        yield


@pytest.mark.parametrize("stage", ["downloader", "validator"])
async def test_f28_a_worker_with_hardly_any_descriptors(stage: str, laptop: System) -> None:
    """On a laptop only, as the one worker of a stage. Tasks wait, and none of them fails for it."""
    worker = {"downloader": laptop.downloaders[0], "validator": laptop.validators[0]}[stage]
    async with laptop.client() as client:
        await client.bring(f"/f28-{stage}-before.mp4", small())
        await client.all_completed()
        with hardly_any_descriptors(worker, 0):
            for n in range(3):
                await client.bring(f"/f28-{stage}-{n}.mp4", small())
            await asyncio.sleep(3)
            assert worker.is_running
        laptop.end_fault()
        await client.all_completed()
    await laptop.check(epsilon=PATIENCE)
