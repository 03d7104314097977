"""``kill -9`` of any one process during an import delays it and loses nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, write_master
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support import replies
from tests.support.origin import Gate, running_origin
from tests.support.stack import Client, running_stack, started_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.stack import Stack

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that this module may break."""
    with running_stack(tmp_path_factory.mktemp("own")) as running:
        yield running


@pytest.mark.parametrize(
    ("number", "victim"), list(enumerate(["downloader", "api", "nats"])), ids=str
)
async def test_a_process_killed_during_the_download(
    number: int, victim: str, own_stack: Stack, tmp_path: Path
) -> None:
    write_master(tmp_path / "m.wav", Spec(seconds=2))
    body, gate = (tmp_path / "m.wav").read_bytes(), Gate()
    reply = replies.file(body, gate=gate, gate_at=len(body) // 2)
    async with Client(own_stack.ready) as client:
        task_id = await client.start(own_stack.origin.serve("/m.wav", reply), f"USRC2{number:07d}")
        await gate.reached()
        own_stack.kill(victim)
        gate.open()
        await _ends_well(client, task_id, body)


async def test_the_validator_killed_during_the_validation(own_stack: Stack, tmp_path: Path) -> None:
    write_master(tmp_path / "m.wav", Spec(seconds=60))
    body = (tmp_path / "m.wav").read_bytes()
    async with Client(own_stack.ready) as client:
        url = own_stack.origin.serve("/long.wav", replies.file(body))
        task_id = await client.start(url, "USRC29000000")
        task = await client.until(task_id, ImportTask.STATE_VALIDATING)
        assert task.state == ImportTask.STATE_VALIDATING
        own_stack.kill("validator")
        await _ends_well(client, task_id, body)


async def test_the_supervisor_killed_with_all_that_it_runs(tmp_path: Path) -> None:
    write_master(tmp_path / "m.wav", Spec(seconds=2))
    body, gate = (tmp_path / "m.wav").read_bytes(), Gate()
    with running_origin() as origin:
        reply = replies.file(body, gate=gate, gate_at=len(body) // 2)
        url = origin.serve("/m.wav", reply)
        with started_stack(origin, tmp_path) as stack:
            async with Client(stack.ready) as client:
                task_id = await client.start(url, "USRC28000000")
                await gate.reached()
            stack.process.kill()
            stack.process.wait()
            gate.open()
        with started_stack(origin, tmp_path) as stack:
            async with Client(stack.ready) as client:
                await _ends_well(client, task_id, body)


async def _ends_well(client: Client, task_id: str, body: bytes) -> None:
    task = await client.until(task_id)
    assert task.state == ImportTask.STATE_COMPLETED, task
    assert task.actual_md5 == hashlib.md5(body).hexdigest()
    status, record = await client.call("GET", f"/atmos-import-tasks/{task_id}/record")
    assert status == 200
    assert record["data"]["attributes"]["byteSize"] == len(body)
