"""A backup of a running stack, restored: what was done is there, what was running is finished."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from cli.demo.master import Spec, write_master
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support import replies
from tests.support.origin import Gate, running_origin
from tests.support.stack import Client, started_stack

if TYPE_CHECKING:
    from tests.support.stack import Stack

pytestmark = pytest.mark.long

ONE_AT_A_TIME = {"STAGEDOOR_DOWNLOAD_SLOTS": "1", "STAGEDOOR_LEASE_SECONDS": "3"}
STATUSES = ["completed", "validating", "downloading", "pending"]


def _stagedoor(*arguments: str) -> None:
    command = [sys.executable, str(Path(sysconfig.get_path("scripts"), "stagedoor")), *arguments]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _masters(folder: Path) -> tuple[bytes, bytes]:
    """A short one, and one that takes its time to validate."""
    write_master(folder / "short.wav", Spec(seconds=2))
    write_master(folder / "long.wav", Spec(seconds=60))
    return (folder / "short.wav").read_bytes(), (folder / "long.wav").read_bytes()


async def _one_of_each(
    client: Client, stack: Stack, bodies: tuple[bytes, bytes], gate: Gate
) -> list[str]:
    """Tasks that are completed, validating, downloading and pending; and stay so."""
    short, long = map(replies.file, bodies)
    held = replies.file(bodies[0], gate=gate, gate_at=len(bodies[0]) // 2)
    serve = stack.origin.serve
    done = await client.start(serve("/done.wav", short), "USRC30000001")
    assert (await client.until(done)).state == ImportTask.STATE_COMPLETED
    validating = await client.start(serve("/long.wav", long), "USRC30000002")
    await client.until(validating, ImportTask.STATE_VALIDATING)
    os.kill(stack.pids("validator")[0], signal.SIGSTOP)
    running = await client.start(serve("/running.wav", held), "USRC30000003")
    await gate.reached()
    waiting = await client.start(serve("/waiting.wav", short), "USRC30000004")
    return [done, validating, running, waiting]


async def _status(client: Client, task: str) -> str:
    _, document = await client.call("GET", f"/atmos-import-tasks/{task}")
    status: str = document["data"]["attributes"]["status"]
    return status


async def _bytes_of(client: Client, task: str) -> bytes:
    """What the record's link serves."""
    _, shown = await client.call("GET", f"/atmos-import-tasks/{task}/record")
    wanted = {"data": {"type": "download-links", "attributes": {"ttlSeconds": 60}}}
    record = shown["data"]["id"]
    _, made = await client.call("POST", f"/records/{record}/download-links", wanted)
    url = made["data"]["attributes"]["url"]
    async with aiohttp.ClientSession() as anybody, anybody.get(url) as answer:
        assert answer.status == 200
        return await answer.read()


async def test_a_restored_stack_finishes_what_was_running(tmp_path: Path) -> None:
    bodies, gate = await asyncio.to_thread(_masters, tmp_path), Gate()
    first, second, saved = tmp_path / "1", tmp_path / "2", str(tmp_path / "backup")
    for folder in (first, second):
        await asyncio.to_thread(folder.mkdir)
    with running_origin() as origin:
        with started_stack(origin, first, ONE_AT_A_TIME) as stack:
            async with Client(stack.ready) as client:
                tasks = await _one_of_each(client, stack, bodies, gate)
                places = ("--data-dir", str(first / "data"))
                await asyncio.to_thread(_stagedoor, "backup", saved, *places)
                assert [await _status(client, task) for task in tasks] == STATUSES
            token = stack.ready["token"]
            stack.process.kill()
            stack.process.wait()
        gate.open()
        places = ("--data-dir", str(second / "data"))
        await asyncio.to_thread(_stagedoor, "restore", saved, *places)
        with started_stack(origin, second, ONE_AT_A_TIME) as stack:
            assert stack.ready["token"] == token
            async with Client(stack.ready) as client:
                for task in tasks:
                    assert (await client.until(task)).state == ImportTask.STATE_COMPLETED
                assert await _bytes_of(client, tasks[0]) == bodies[0]
            await asyncio.to_thread(_stagedoor, "verify", *places)


async def test_no_stack_starts_where_a_restore_was_cut_short(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "data/restore.partial").mkdir, parents=True)
    with (
        running_origin() as origin,
        pytest.raises(RuntimeError, match="a restore was cut short"),
        started_stack(origin, tmp_path),
    ):
        pass
