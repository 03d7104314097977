"""Pulling: what is there is taken at once, and what comes too late is given back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import TopologyMissing
from shared.bus.roles import Role

if TYPE_CHECKING:
    from shared.bus.bus import Bus
    from shared.bus.pull import Delivery
    from tests.support.nats import NatsServer

LONG = timedelta(seconds=60)


async def report(downloader: Bus) -> None:
    """One report of a task of its own."""
    envelope = Envelope(type="stagedoor.events.v1.RunReport")
    await downloader.publish(subjects.report("download", uuid4()), b"done", envelope)


async def test_a_batch_does_not_wait_for_those_that_are_not_there(
    api: Bus, downloader: Bus
) -> None:
    async with api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
        pulling = asyncio.create_task(puller.pull(256, LONG))
        await report(downloader)
        async with asyncio.timeout(10):
            [one] = await pulling
            await one.ack()
            # The first request still stands.
            await report(downloader)
            [other] = await puller.pull(256, LONG)
        assert other.sequence > one.sequence
        # Or leaving would wait for its end.
        puller._left = 0  # noqa: SLF001


async def test_many_that_are_there_come_together(api: Bus, downloader: Bus) -> None:
    for _ in range(20):
        await report(downloader)
    async with api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
        found = await puller.pull(256, timedelta(seconds=1))
        while len(found) < 20:
            found += await puller.pull(256, timedelta(seconds=1))
    assert len({each.sequence for each in found}) == 20


async def test_no_more_than_asked_for(api: Bus, downloader: Bus) -> None:
    for _ in range(5):
        await report(downloader)
    async with api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
        sizes = [len(await puller.pull(2, timedelta(seconds=1))) for _ in range(2)]
        assert max(sizes) <= 2


async def test_who_waits_hears_that_the_consumer_was_deleted(
    nats_server: NatsServer, api: Bus
) -> None:
    async with (
        nats_server.client(Role.API) as client,
        api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller,
    ):
        pulling = asyncio.create_task(puller.pull(256, LONG))
        await api.ensure_topology(LONG)  # by the same connection: the request is there
        assert await client.jetstream().delete_consumer(streams.REPORTS, streams.API_CONSUMER)
        with pytest.raises(TopologyMissing):
            await asyncio.wait_for(pulling, 10)


async def test_what_came_before_such_a_word_is_not_lost_with_it(
    nats_server: NatsServer, api: Bus, downloader: Bus
) -> None:
    async with (
        nats_server.client(Role.API) as client,
        api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller,
    ):
        await report(downloader)
        [one] = await puller.pull(256, LONG)
        await report(downloader)  # for the request that still stands
        assert await client.jetstream().delete_consumer(streams.REPORTS, streams.API_CONSUMER)
        await api.ensure_topology(LONG)  # by the same connection: both are here
        [other] = await asyncio.wait_for(puller.pull(256, LONG), 10)
        assert other.sequence > one.sequence


async def test_what_comes_while_leaving_is_given_back_at_once(
    nats_server: NatsServer, downloader: Bus
) -> None:
    """And not after the time that a silent reader keeps it, which is very long here."""
    async with nats_server.bus(Role.API) as api:
        await api.ensure_topology(LONG)
        async with api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
            await report(downloader)
            [taken] = await puller.pull(256, timedelta(seconds=1))
            await taken.ack()
            await report(downloader)  # for the request that still stands
        async with api.pulling(streams.REPORTS, streams.API_CONSUMER) as puller:
            found: list[Delivery] = []
            async with asyncio.timeout(10):
                while not found:
                    found = await puller.pull(256, timedelta(seconds=1))
        assert [each.number for each in found] == [2]
