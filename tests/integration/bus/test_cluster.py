"""The bus on three servers that keep three copies: what it does when they die."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from nats.js.errors import APIError

from shared.bus import connection, streams, subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.bus.publisher import PUBLISH_SECONDS
from shared.bus.roles import Role
from tests.support.nats_cluster import ACK_WAIT, REPLICAS, NatsCluster, Node, nats_cluster

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from nats.js.api import ClusterInfo

    from shared.bus.pull import Puller

__all__ = ["nats_cluster"]

pytestmark = pytest.mark.faults

TASK = UUID("01890000-0000-7000-8000-000000000001")
SOON = timedelta(seconds=1)
# What a loaded machine may add to a time limit of the bus.
SLACK_SECONDS = 3.0
CONSUMERS = ((streams.WORK, "download"), (streams.WORK, "validate"), (streams.REPORTS, "api"))


def letter(id_: str) -> Envelope:
    return Envelope(type="stagedoor.events.v1.RunReport", id=id_)


async def publish(bus: Bus, id_: str) -> float:
    """Publish a report until the broker has it; how long that took, in seconds."""
    clock = asyncio.get_running_loop().time
    started = clock()
    while True:
        try:
            await bus.publish(subjects.report("download", UUID(id_)), b"done", letter(id_))
        except BusUnavailable:
            await asyncio.sleep(0.05)
        else:
            return clock() - started


async def within(seconds: float, call: Coroutine[None, None, object]) -> float:
    """How long a call takes that the broker cannot answer; it may not take longer than this."""
    clock = asyncio.get_running_loop().time
    started = clock()
    async with asyncio.timeout(seconds + SLACK_SECONDS):
        with pytest.raises(BusUnavailable):
            await call
    return clock() - started


class Reader:
    """Takes and acknowledges reports for as long as it is let."""

    def __init__(self, bus: Bus) -> None:
        self.seen: list[str] = []
        self.longest_wait = 0.0
        self._bus = bus

    async def run(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._bus.pulling(streams.REPORTS, "api") as puller:
            while True:
                started = clock()
                try:
                    batch = await puller.pull(64, SOON)
                except BusUnavailable:
                    await asyncio.sleep(0.05)
                    batch = []
                self.longest_wait = max(self.longest_wait, clock() - started)
                for delivery in batch:
                    await delivery.ack()
                    self.seen.append(delivery.id)

    async def until_seen(self, ids: set[str]) -> None:
        task = asyncio.create_task(self.run())
        try:
            async with asyncio.timeout(40):
                while not ids <= set(self.seen):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.05)
        except TimeoutError:
            missing = len(ids - set(self.seen))
            raise AssertionError(f"{missing} of {len(ids)} reports never came") from None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def told(cluster: NatsCluster, stream: str) -> ClusterInfo:
    """What the leader of a stream says about those that keep it."""
    async with cluster.client(Role.API) as client:
        while True:
            try:
                info = await client.jetstream().stream_info(stream)
            except (APIError, TimeoutError):
                await asyncio.sleep(0.1)
                continue
            assert info.cluster is not None
            return info.cluster


async def until_all_current(cluster: NatsCluster, stream: str) -> None:
    async with asyncio.timeout(40):
        while True:
            peers = (await told(cluster, stream)).replicas or []
            if len(peers) == REPLICAS - 1 and all(p.current and not p.offline for p in peers):
                return
            await asyncio.sleep(0.1)


async def until_copied(node: Node, reports: int, known: Collection[str] = ()) -> dict[str, int]:
    """What a server follows, when it has so many reports and follows all that is known."""
    async with asyncio.timeout(40):
        while True:
            copies = await node.follows()
            if copies.get(streams.REPORTS) == reports and copies.keys() >= set(known):
                return copies
            await asyncio.sleep(0.1)


async def until_refused(bus: Bus) -> None:
    """Return when the cluster has noticed that it lost its majority."""
    async with asyncio.timeout(40):
        while True:
            try:
                await bus.publish(subjects.report("download", TASK), b"", letter(str(TASK)))
            except BusUnavailable:
                return
            await asyncio.sleep(0.05)


async def pull_nothing(puller: Puller) -> bool:
    try:
        return await puller.pull(1, SOON) == []
    except BusUnavailable:
        return True


def node_of(cluster: NatsCluster, bus: Bus) -> Node:
    """The server that a connection goes to."""
    server = bus._client._current_server  # noqa: SLF001 - nothing of ours needs to know
    return next(node for node in cluster.nodes if server and node.port == server.uri.port)


async def test_every_stream_and_consumer_has_three_copies(nats_cluster: NatsCluster) -> None:
    async with nats_cluster.client(Role.API) as client:
        js = client.jetstream()
        for stream in (streams.WORK, streams.REPORTS, streams.EVENTS):
            info = await js.stream_info(stream)
            assert info.config.num_replicas == REPLICAS
            assert info.cluster is not None
            assert len(info.cluster.replicas or []) == REPLICAS - 1
        for stream, name in CONSUMERS:
            consumer = await js.consumer_info(stream, name)
            assert consumer.cluster is not None
            assert len(consumer.cluster.replicas or []) == REPLICAS - 1


async def test_more_copies_than_we_ask_for_stay(nats_cluster: NatsCluster) -> None:
    url, tls = nats_cluster.url(Role.API), nats_cluster.certificates.trusted()
    bus = await Bus.connect(url, Role.API, tls=tls, replicas=1)
    try:
        await bus.ensure_topology(ACK_WAIT)
    finally:
        await bus.close()
    async with nats_cluster.client(Role.API) as client:
        info = await client.jetstream().stream_info(streams.WORK)
    assert info.config.num_replicas == REPLICAS


async def test_fewer_copies_become_more(nats_cluster: NatsCluster) -> None:
    async with nats_cluster.client(Role.API) as client, nats_cluster.bus(Role.API) as bus:
        js = client.jetstream()
        config = (await js.stream_info(streams.REPORTS)).config
        await js.update_stream(config, num_replicas=1)
        await bus.ensure_topology(ACK_WAIT)
        assert (await js.stream_info(streams.REPORTS)).config.num_replicas == REPLICAS
    await until_all_current(nats_cluster, streams.REPORTS)


async def test_nothing_acknowledged_is_lost_with_the_leader(nats_cluster: NatsCluster) -> None:
    ids = [str(uuid4()) for _ in range(300)]
    gaps: list[float] = []
    async with nats_cluster.bus(Role.DOWNLOADER) as worker, nats_cluster.bus(Role.API) as api:
        reader = Reader(api)
        reading = asyncio.create_task(reader.run())
        for number, id_ in enumerate(ids):
            if number == len(ids) // 3:
                leader = await nats_cluster.leader(streams.REPORTS)
                leader.kill()
            gaps.append(await publish(worker, id_))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await reader.until_seen(set(ids))
    sys.stdout.write(f"leader killed: longest publish {max(gaps):.1f} s\n")
    assert reader.longest_wait < SOON.total_seconds() + PUBLISH_SECONDS + SLACK_SECONDS
    leader.start()
    await until_all_current(nats_cluster, streams.REPORTS)


async def test_without_a_majority_all_is_refused_in_time_and_goes_on_afterwards(
    nats_cluster: NatsCluster,
) -> None:
    before, after = str(uuid4()), str(uuid4())
    left, *others = nats_cluster.nodes
    async with (
        nats_cluster.bus(Role.DOWNLOADER, left) as worker,
        nats_cluster.bus(Role.API, left) as api,
        api.pulling(streams.REPORTS, "api") as puller,
    ):
        await publish(worker, before)
        for node in others:
            node.kill()
        await until_refused(worker)
        subject = subjects.report("download", UUID(after))
        took = await within(PUBLISH_SECONDS, worker.publish(subject, b"done", letter(after)))
        healing = await within(PUBLISH_SECONDS, api.ensure_topology(ACK_WAIT))
        async with asyncio.timeout(SOON.total_seconds() + SLACK_SECONDS):
            assert await pull_nothing(puller)
        sys.stdout.write(f"no majority: publish {took:.1f} s, ensure {healing:.1f} s\n")
        assert worker.connected
        for node in others:
            node.start()
        await publish(worker, after)
        await Reader(api).until_seen({before, after})


async def test_all_three_killed_lose_nothing(nats_cluster: NatsCluster) -> None:
    ids = [str(uuid4()) for _ in range(20)]
    async with nats_cluster.bus(Role.DOWNLOADER) as worker, nats_cluster.bus(Role.API) as api:
        for id_ in ids:
            await publish(worker, id_)
        nats_cluster.kill()
        for node in nats_cluster.nodes:
            node.start()
        last = str(uuid4())
        took = await publish(worker, last)
        sys.stdout.write(f"all killed: publish again after {took:.1f} s\n")
        await Reader(api).until_seen({*ids, last})


async def test_a_wiped_server_gets_its_copy_again(nats_cluster: NatsCluster) -> None:
    ids = [str(uuid4()) for _ in range(20)]
    async with nats_cluster.bus(Role.DOWNLOADER) as worker, nats_cluster.bus(Role.API) as api:
        for id_ in ids:
            await publish(worker, id_)
        wiped, other = nats_cluster.nodes[:2]
        copies = await until_copied(other, len(ids))
        wiped.kill()
        wiped.wipe()
        wiped.start()
        assert await until_copied(wiped, len(ids), copies.keys()) == copies
        for stream in (streams.WORK, streams.REPORTS, streams.EVENTS):
            await until_all_current(nats_cluster, stream)
        # Now its copy and its vote count: without them there would be no majority.
        other.kill()
        await Reader(api).until_seen(set(ids))


async def test_a_server_with_a_wrong_password_does_not_join(nats_cluster: NatsCluster) -> None:
    first = nats_cluster.nodes[0]
    right = first.environment["STAGEDOOR_NATS_ROUTE_PASSWORD"]
    nats_cluster.nodes[2].stop()
    stranger = nats_cluster.nodes[2]
    stranger.environment = {
        name: value.replace(right, "p-guess") for name, value in stranger.environment.items()
    }
    stranger.start()
    async with asyncio.timeout(30):
        while "authentication error" not in first.log:  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.05)
    async with nats_cluster.bus(Role.API, stranger) as alone:
        with pytest.raises(BusUnavailable):
            await alone.ensure_topology(ACK_WAIT)


async def test_a_server_that_hangs_is_left_for_another(
    nats_cluster: NatsCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PING_SECONDS", 0.5)
    async with nats_cluster.bus(Role.DOWNLOADER) as worker:
        node = node_of(nats_cluster, worker)
        node.freeze()
        try:
            async with asyncio.timeout(15):
                while not worker.connected or node_of(nats_cluster, worker) is node:  # noqa: ASYNC110 - the bus has no event for it
                    await asyncio.sleep(0.05)
            await publish(worker, str(uuid4()))
        finally:
            node.thaw()
