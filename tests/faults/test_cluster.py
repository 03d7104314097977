"""F38: three brokers that keep three copies, and the whole system on them, when they die.

Only the fleet: who has one machine has one broker.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.bus import streams, subjects
from shared.bus.roles import Role
from tests.support import replies
from tests.support.faults import FLEET, broker, running_system, small
from tests.support.nats_cluster import NatsCluster

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterable
    from typing import Self

    from tests.support.faults import Client, System

GAP_SECONDS = 10.0
# What a loaded machine may add: the servers need the processor for their elections.
SLACK_SECONDS = 5.0
AWAY_SECONDS = 3.0
AN_IMPORT_EVERY_SECONDS = 0.3
LOOK_BACK_SECONDS = 2.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clustered(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A fleet on a cluster."""
    cluster = NatsCluster()
    try:
        await cluster.start()
        folder = tmp_path_factory.mktemp("clustered")
        with running_system(folder, FLEET, cluster=cluster) as system:
            yield system
    finally:
        cluster.remove()


@pytest.fixture
def cluster(clustered: System) -> NatsCluster:
    """The three servers."""
    assert clustered.cluster is not None
    return clustered.cluster


@dataclass(slots=True)
class Load:
    """Imports of what is not there, one after the other, for as long as the context lasts.

    They fail at once and cost next to nothing, but each has its commands, reports and events.
    """

    system: System
    client: Client
    name: str
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, with what was begun."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        number = 0
        while True:
            # A call that was begun is ended: the ledger must know what was promised.
            url = self.system.serve(f"/{self.name}-{number}.mp4", replies.answer(404))
            asked = asyncio.create_task(self.client.create(url))
            try:
                await asyncio.shield(asked)
            except asyncio.CancelledError:
                await asked
                raise
            number += 1
            await asyncio.sleep(AN_IMPORT_EVERY_SECONDS)


async def test_f38_the_leader_of_a_stream_killed(
    clustered: System, cluster: NatsCluster, rng: random.Random
) -> None:
    async with clustered.client() as client:
        async with Load(clustered, client, "f38-leader"):
            await bring_through(client, "f38-leader-before")
            leader = await cluster.leader(rng.choice(broker.STREAMS))
            killed_at = time.time()
            leader.kill()
            await bring_through(client, "f38-leader-after")
        clustered.end_fault()
        await client.all_final()
        assert client.repeats == 0, "the API did not answer at once"
    await cluster.start()
    await clustered.check()  # which waits until everything is told
    told = await told_at(clustered)
    gap = longest_gap(moment for moment in told if moment > killed_at - LOOK_BACK_SECONDS)
    assert gap <= GAP_SECONDS + SLACK_SECONDS, f"for {gap:.1f} s nothing went on"


@pytest.mark.parametrize("number", [2, 3], ids=["two-of-three", "all-three"])
async def test_f38_without_a_majority_the_api_answers_and_all_goes_on_afterwards(
    number: int, clustered: System, cluster: NatsCluster, rng: random.Random
) -> None:
    async with clustered.client() as client:
        async with Load(clustered, client, f"f38-{number}"):
            await bring_through(client, f"f38-{number}-before")
            for node in rng.sample(cluster.nodes, number):
                node.kill()
            await asyncio.sleep(AWAY_SECONDS)
            meanwhile = await client.bring(f"/f38-{number}-while-away.mp4", small())
            assert await client.status(meanwhile) == "pending"
            for node in cluster.nodes:
                if not node.runs:
                    node.start()
            started_at = time.time()
            await client.all_completed(meanwhile)
        clustered.end_fault()
        await client.all_final()
        assert client.repeats == 0, "the API did not answer at once"
    await clustered.check()  # which waits until everything is told
    gap = min(moment for moment in await told_at(clustered) if moment > started_at) - started_at
    assert gap <= GAP_SECONDS + SLACK_SECONDS, f"nothing went on until {gap:.1f} s after the start"


async def bring_through(client: Client, name: str) -> None:
    """Import something from its beginning to its end."""
    await client.all_completed(await client.bring(f"/{name}.mp4", small()))


async def told_at(system: System) -> list[float]:
    """When each event came into the stream, by the broker's clock: seconds since the epoch."""
    assert system.cluster is not None
    found: list[float] = []
    async with system.cluster.client(Role.API) as client:
        js = client.jetstream()
        left = (await js.stream_info(streams.EVENTS)).state.messages
        config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL)
        reading = await js.pull_subscribe(subjects.ALL_EVENTS, stream=streams.EVENTS, config=config)
        while len(found) < left:
            batch = await reading.fetch(min(500, left - len(found)), timeout=10)
            found += [message.metadata.timestamp.timestamp() for message in batch]
    return found


def longest_gap(moments: Iterable[float]) -> float:
    """The longest time between one and the next."""
    return max(after - before for before, after in pairwise(sorted(moments)))
