"""A full disk is the worker's trouble: tasks wait, none is charged, nothing is left behind."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support import replies
from tests.support.origin import Gate
from tests.support.stack import Client, running_stack
from tests.support.tmpfs import small_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.origin import Exchange, Reply
    from tests.support.stack import Stack
    from tests.support.tmpfs import SmallDisk

MEBIBYTE = 1 << 20
DISK = 24 * MEBIBYTE


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A small disk."""
    with small_disk(tmp_path / "disk", DISK) as disk:
        yield disk


@pytest.fixture
def own_stack(disk: SmallDisk, tmp_path: Path) -> Iterator[Stack]:
    """A stack that has its bytes on the small disk."""
    with running_stack(tmp_path, {"STAGEDOOR_BLOBS_URL": disk.blobs.as_uri()}) as running:
        yield running


@pytest.fixture
def body(tmp_path: Path) -> bytes:
    """A master of some megabytes."""
    write_master(tmp_path / "m.wav", Spec(seconds=3))
    return (tmp_path / "m.wav").read_bytes()


async def logged(stack: Stack, event: str) -> None:
    """Wait until a process of the stack says so in the log."""
    log = stack.ready_file.with_name("log")
    async with asyncio.timeout(20):
        while event not in log.read_text(errors="replace"):  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)


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


async def given_back(client: Client, task_id: str) -> ImportTask:
    """Wait until the attempt that was charged with the claim is no more."""
    async with asyncio.timeout(30):
        async for task in client.states(task_id):
            if not task.attempts:
                return task
    raise AssertionError("the watch ended before the task was given back")


async def ends_well(client: Client, task_id: str, body: bytes, disk: SmallDisk) -> None:
    task = await client.until(task_id)
    assert task.state == ImportTask.STATE_COMPLETED, task
    assert task.actual_md5 == hashlib.md5(body).hexdigest()
    (kept,) = disk.files()
    assert kept.read_bytes() == body


async def test_a_task_waits_while_the_disk_is_full_and_is_done_when_there_is_room(
    own_stack: Stack, disk: SmallDisk, body: bytes
) -> None:
    disk.fill()
    await logged(own_stack, "worker_paused")
    async with Client(own_stack.ready) as client:
        url = own_stack.origin.serve("/m.wav", replies.file(body))
        task_id = await client.start(url, "USRC40000001")
        await asyncio.sleep(2)  # long enough for a worker that does not mind
        task = await anext(client.states(task_id))
        assert (task.state, task.attempts) == (ImportTask.STATE_PENDING, 0)
        assert own_stack.origin.requests == []
        disk.make_room()
        await ends_well(client, task_id, body, disk)
    await logged(own_stack, "worker_resumed")


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_disk_that_fills_under_way_gives_the_task_back_uncharged(
    own_stack: Stack, disk: SmallDisk, body: bytes
) -> None:
    """Of unknown length, so that no room is reserved; the part's own room is no room to go on."""
    gate = Gate()
    reply = in_two_chunks(body, MEBIBYTE, gate)
    async with Client(own_stack.ready) as client:
        task_id = await client.start(own_stack.origin.serve("/m.wav", reply), "USRC40000002")
        await gate.reached()
        disk.fill()
        gate.open()
        task = await given_back(client, task_id)
        assert task.state == ImportTask.STATE_DOWNLOADING
        assert not task.HasField("last_failure")
        assert disk.files() == []
        await logged(own_stack, "worker_paused")
        disk.make_room()
        await ends_well(client, task_id, body, disk)
