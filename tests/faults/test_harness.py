"""The harness does to processes and links what it says, and what it starts dies with its test."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import (
    API_DATABASE,
    API_NATS,
    FLEET,
    STORE,
    WORKER_NATS,
    WORKER_ORIGIN,
    first_to_die,
    gone,
    running_system,
    small,
)
from tests.support.faults.process import ROOT, is_there

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.faults import System

_LEAVES_EVERYTHING = """
import json, os, signal, sys
from pathlib import Path
from tests.support.faults import FLEET, running_system
with running_system(Path(sys.argv[1]), FLEET) as system:
    pids = [each.pid for each in system.processes]
    print(json.dumps([*pids, system.postgres._process.pid]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_all_links_may_be_proxied_and_a_cut_one_heals(tmp_path: Path) -> None:
    links = [WORKER_NATS, API_NATS, WORKER_ORIGIN, API_DATABASE, STORE]
    with running_system(tmp_path, FLEET, proxied=links) as system:
        async with system.client() as client:
            await client.bring("/well.mp4", small())
            await client.all_completed()
            assert all(system.link(name).up.bytes for name in links)
            for name in links:
                system.link(name).drop()
            await asyncio.sleep(1)
            for name in links:
                system.link(name).heal()
            system.end_fault()
            await client.bring("/again.mp4", small())
            await client.all_completed()
        await system.check()


async def test_a_replica_keeps_its_ports_and_its_failpoint_fires_once(fleet: System) -> None:
    before = fleet.http, fleet.grpc
    await fleet.apis[1].restart("api.committed=kill")
    async with fleet.client() as client:
        ids = [await client.bring(f"/once-{number}.mp4", small()) for number in range(6)]
        victim = await first_to_die([fleet.apis[1]])
        assert await victim.died() == -signal.SIGKILL
        await victim.start()
        fleet.end_fault()
        assert (fleet.http, fleet.grpc) == before
        await client.all_completed(*ids)
    await fleet.check()


async def test_a_process_stops_at_a_failpoint_and_goes_on(laptop: System) -> None:
    downloader = laptop.downloaders[0]
    await downloader.restart("downloader.stored=stop")
    async with laptop.client() as client:
        id_ = await client.bring("/stopped.mp4", small())
        await downloader.stopped()
        assert await client.status(id_) == "downloading"
        downloader.cont()
        await client.all_completed()
    await laptop.check()


async def test_a_frozen_process_stands_still_and_a_term_is_timed(laptop: System) -> None:
    validator = laptop.validators[0]
    validator.stop()
    await validator.stopped(within=1)
    validator.cont()
    ended = await validator.term()
    assert ended.code == 0
    assert 0 < ended.seconds < 10
    with pytest.raises(TimeoutError, match="validator-1: not within"):
        await validator.stopped(within=0.1)
    await laptop.start_all()
    assert validator.is_running
    assert validator.rss_bytes() > 1 << 20
    assert validator.fds() > 3


async def test_a_deadline_that_is_missed_says_what_the_rows_say(laptop: System) -> None:
    laptop.downloaders[0].kill()
    async with laptop.client() as client:
        id_ = await client.bring("/late.mp4", small())
        with pytest.raises(AssertionError, match=f"{id_}: status=pending"):
            await client.all_final(within=1)
        await laptop.start_all()
        await client.all_completed()
    await laptop.check()


async def test_a_client_repeats_itself_until_a_dead_api_is_back(laptop: System) -> None:
    laptop.apis[0].kill()
    async with laptop.client() as client:
        asked = asyncio.create_task(client.bring("/patient.mp4", small()))
        await asyncio.sleep(0.5)
        assert not asked.done()
        await laptop.apis[0].start()
        id_ = await asked
        await client.patch(id_, secondaryIsrc="USF019999999")
        await client.all_completed()
        assert (await client.get(id_))["attributes"]["secondaryIsrc"] == "USF019999999"
        await client.delete(id_)
    await laptop.check()


@pytest.fixture
def abandoned() -> Iterator[Path]:
    """A folder for what nobody will clean up; PostgreSQL's user can reach it."""
    with TemporaryDirectory(prefix="stagedoor-abandoned-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


async def test_everything_dies_with_the_process_that_started_it(abandoned: Path) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")])
    env = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(abandoned)}
    done = subprocess.run(  # noqa: ASYNC221 - nothing else goes on here
        [sys.executable, "-c", _LEAVES_EVERYTHING, str(abandoned)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    pids = json.loads(done.stdout)
    assert len(pids) == 10
    await asyncio.gather(*(gone(pid) for pid in pids))
    assert not any(is_there(pid) for pid in pids)
