"""Many messages side by side: each is stored, or refused for a reason of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from shared.bus import streams, subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable, MessageTooLarge, SubjectTaken, TopologyMissing
from shared.bus.publisher import Message
from shared.bus.roles import Role

if TYPE_CHECKING:
    from shared.bus.bus import Bus
    from tests.support.nats import NatsServer


def command(payload: bytes = b"") -> Message:
    """A command for a task of its own."""
    subject = subjects.work("download", uuid4(), 1)
    return Message(subject, payload, Envelope(type="stagedoor.events.v1.WorkCommand"))


async def test_each_has_an_outcome_of_its_own(api: Bus, nats_server: NatsServer) -> None:
    taken, large = command(b"first"), command(bytes(2 * 1024 * 1024))
    again = replace(taken.envelope, id="another")
    good = [command(b"%d" % n) for n in range(300)]
    outcomes = await api.publish_all([taken, large, taken._replace(envelope=again), *good])
    kinds = [type(each) for each in outcomes[:3]]
    assert kinds == [type(None), MessageTooLarge, SubjectTaken]
    assert outcomes[3:] == [None] * 300
    async with nats_server.client(Role.API) as client:
        state = (await client.jetstream().stream_info(streams.WORK)).state
    assert state.messages == 301


async def test_callers_side_by_side_do_not_mix_up_their_answers(api: Bus) -> None:
    one = command()
    both = await asyncio.gather(
        *(api.publish_all([command(), one._replace(payload=b"%d" % n)]) for n in range(10))
    )
    second = [outcome[1] for outcome in both]
    assert [outcome[0] for outcome in both] == [None] * 10
    # The same id is a repetition, which the broker drops without a word.
    assert second == [None] * 10
    again = replace(one.envelope, id="another")
    [refused] = await api.publish_all([one._replace(envelope=again)])
    assert isinstance(refused, SubjectTaken)


async def test_a_broker_that_is_away_refuses_all_of_them(api: Bus, nats_server: NatsServer) -> None:
    await api.publish_all([command()])
    nats_server.kill()
    outcomes = await api.publish_all([command(), command()])
    assert [isinstance(each, BusUnavailable) for each in outcomes] == [True, True]


async def test_nothing_is_published_by_nobody(api: Bus) -> None:
    assert await api.publish_all([]) == []


async def test_without_topology_all_are_refused(nats_server: NatsServer) -> None:
    async with nats_server.bus(Role.API) as bus:
        outcomes = await bus.publish_all([command(), command()])
    assert [type(each) for each in outcomes] == [TopologyMissing] * 2
