"""A master of two gigabytes through the whole product, whose downloader dies half-way."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.request
from dataclasses import dataclass, field
from hashlib import file_digest
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bench.download.servers import listening
from cli.demo.master import Spec, write_master
from shared.durable import sync
from stagedoor.v1.import_task_service_pb2 import ImportTask
from tests.support.stack import Client, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SECONDS = 993  # of 14 channels
# On each connection, so that the download takes long enough to be watched and killed.
BYTES_PER_SECOND = 20_000_000
LONGEST_SILENCE = 1.0


@dataclass(frozen=True, slots=True)
class Served:
    """A master at an origin in a process of its own."""

    size: int
    md5: str
    port: int
    ca: Path

    def url(self, path: str = "/master.wav") -> str:
        """Where something of it is."""
        return f"https://127.0.0.1:{self.port}{path}"

    def bytes_sent(self) -> int:
        """How many bytes of the master have left the origin."""
        trusting = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(self.url("/-/served"), context=trusting) as answer:  # noqa: S310 - our own
            counted: dict[str, int] = json.load(answer)
        return counted["master.wav"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The master, served."""
    folder = tmp_path / "served"
    folder.mkdir()
    path = folder / "master.wav"
    write_master(path, Spec(seconds=SECONDS))
    sync(path)  # or the kernel writes it half a minute later, in the middle of the download
    with path.open("rb") as file:
        digest = file_digest(file, "md5").hexdigest()
    limit = ("--rate", str(BYTES_PER_SECOND))
    with listening(tmp_path, "origin", *limit, str(folder)) as port:
        yield Served(path.stat().st_size, digest, port, tmp_path / "origin" / "ca.pem")


@dataclass(slots=True)
class Sightings:
    """What a watcher saw of one run: when (loop's clock), how many bytes were done."""

    seen: list[tuple[float, int]] = field(default_factory=list)

    def note(self, done: int) -> None:
        """Keep a sighting that is news."""
        if not self.seen or self.seen[-1][1] != done:
            self.seen.append((asyncio.get_running_loop().time(), done))

    @property
    def longest_gap(self) -> float:
        """The longest time, in seconds, in which the watcher saw nothing new."""
        return max(later[0] - earlier[0] for earlier, later in pairwise(self.seen))


async def test_two_gigabytes_survive_the_death_of_their_downloader(
    served: Served, tmp_path: Path
) -> None:
    settings = {
        "STAGEDOOR_DOWNLOAD_ALLOW_PORTS": str(served.port),
        "STAGEDOOR_DOWNLOAD_CA_FILE": str(served.ca),
    }
    before, after = Sightings(), Sightings()
    with running_stack(tmp_path, settings) as stack:
        async with Client(stack.ready) as client, asyncio.timeout(400):
            task_id = await client.start(served.url(), "USRC50000001")
            async for task in client.states(task_id):
                done = task.progress.done_bytes
                if task.state != ImportTask.STATE_DOWNLOADING or not 0 < done < served.size:
                    continue  # with all bytes here, only the disk is waited for
                if not before.seen or before.seen[-1][1] < served.size // 2:
                    before.note(done)
                    if done >= served.size // 2:
                        stack.kill("downloader")
                elif done != before.seen[-1][1]:
                    after.note(done)
            assert task.state == ImportTask.STATE_COMPLETED, task
            assert (task.actual_md5, task.size_bytes) == (served.md5, served.size)
            status, record = await client.call("GET", f"/atmos-import-tasks/{task_id}/record")
            assert (status, record["data"]["attributes"]["byteSize"]) == (200, served.size)
        assert served.bytes_sent() < 1.2 * served.size
        files = (path for path in (tmp_path / "data" / "blobs").rglob("*") if path.is_file())
        assert [file.stat().st_size for file in files] == [served.size]
    assert min(len(before.seen), len(after.seen)) > 3
    assert max(before.longest_gap, after.longest_gap) <= LONGEST_SILENCE, (before, after)
