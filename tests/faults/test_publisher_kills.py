"""``kill -9`` of a publisher costs time: the files are made whole, and the job ends once."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import PUBLISHING, first_with_a_child, large, running_system
from tests.support.faults.publishing import FORMATS, Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.faults import System


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """SQLite, a folder, one process of each service, a publisher among them."""
    with running_system(tmp_path_factory.mktemp("publishing"), PUBLISHING) as system:
        yield system


@pytest.fixture
async def jobs(publishing: System) -> AsyncIterator[Publisher]:
    """A client of the system."""
    async with Publisher(publishing) as opened:
        yield opened


async def test_f42_a_publisher_killed_while_its_child_transcodes(
    publishing: System, jobs: Publisher
) -> None:
    async with publishing.client() as client:
        task_id = await client.bring("/f42.wav", large(16))
        await client.all_completed()
        name = await jobs.start(task_id)
        victim = await first_with_a_child(publishing.publishers)
        victim.kill()
        await victim.start()
        publishing.end_fault()
        found = await jobs.published(name)
    assert [each.format for each in found.renditions] == list(FORMATS)
    assert found.attempts == 2
    await publishing.check()


async def test_f42_a_publisher_killed_with_the_first_of_its_files_stored(
    publishing: System, jobs: Publisher
) -> None:
    (publisher,) = publishing.publishers
    async with publishing.client() as client:
        task_id = await client.bring("/f42-stored.wav", large(4))
        await client.all_completed()
        await publisher.restart("publisher.stored=kill")
        name = await jobs.start(task_id)
        assert await publisher.died() == -signal.SIGKILL
        await publisher.restart()
        publishing.end_fault()
        found = await jobs.published(name)
    assert len(found.renditions) == len(FORMATS)
    # What the killed run stored waits for the scrub.
    await publishing.check(orphans=1)
