"""Deliveries: each sent at least once, by one at a time, and none held up by another's receiver."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from uuid_utils.compat import uuid7

from services.api import signals
from services.api.db import delivery_rows
from services.api.db.engine import open_engines
from services.api.deliverer import AT_ONCE, PER_HOST, Deliverer
from services.api.domain.queries import Slice
from services.api.domain.subscriptions import (
    DELAYS,
    DeliveryState,
    DisabledReason,
    Event,
    Outcome,
    Outgoing,
)
from services.api.secrets import SecretKeys
from services.api.use_cases.deliveries import deliver_once
from services.api.use_cases.subscriptions import SubscriptionFields
from tests.support.notifying import WHO, notifying
from tests.support.receiver import running_receiver

if TYPE_CHECKING:
    from services.api.notify.senders import Senders
    from tests.support.notifying import Notifying
    from tests.support.receiver import Receiver

FAILED = Outcome(error="bad_status", status=500)


def an_event() -> Event:
    return Event(id=uuid7(), type="stagedoor.ping", body=b'{"data":{}}')


@dataclass
class Slow:
    """A sender that never comes back from one host."""

    host: str
    sent: list[Outgoing] = field(default_factory=list)
    stuck: int = 0

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send."""
        if outgoing.host == self.host:
            self.stuck += 1
            await asyncio.Event().wait()
        self.sent.append(outgoing)
        return Outcome(status=204)


class Broken:
    """A sender with a fault."""

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Send."""
        raise RuntimeError(str(outgoing.id))


async def test_two_deliverers_send_each_delivery_once(
    database_url: str, senders: Senders, receiver: Receiver
) -> None:
    keys = SecretKeys.generate()
    async with (
        notifying(database_url, senders, keys=keys) as one,
        notifying(database_url, senders, keys=keys) as two,
    ):
        subscription = (await one.subscribe(receiver.url())).subscription
        await asyncio.gather(*(one.ping(subscription) for _ in range(30)))
        await asyncio.gather(one.send(), two.send())
        ids = [request.headers["webhook-id"] for request in receiver.requests]
        assert len(ids) == len(set(ids)) == 30
        assert {row.state for row in await one.rows()} == {DeliveryState.SUCCEEDED}


async def test_what_a_dead_deliverer_took_is_sent_again_and_it_has_no_say(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    await any_hooks.ping(subscription)
    sending = any_hooks.core.use_cases.sending
    (taken,) = await sending.take(10, {}, 10)
    assert await sending.take(10, {}, 10) == ()
    await any_hooks.forget_takings()
    await any_hooks.send()
    assert len(receiver.requests) == 1
    await sending.settle([(taken, FAILED)])
    delivery = await any_hooks.delivery(subscription)
    assert (delivery.state, delivery.attempts) == (DeliveryState.SUCCEEDED, 1)


async def test_an_event_is_delivered_once_however_often_it_is_told(any_hooks: Notifying) -> None:
    subscription = (await any_hooks.subscribe("https://a.localhost/")).subscription
    event = an_event()
    write = any_hooks.core.use_cases.executor.write
    for _ in range(2):
        await write(lambda t: deliver_once(t, "default", "https://b.localhost/", event))
        await write(lambda t: delivery_rows.tell(t, "default", event.type, lambda: event))
    targets = [(row.subscription_id, row.target) for row in await any_hooks.rows()]
    assert targets == [(None, "https://b.localhost/"), (subscription.id, "https://a.localhost/")]


async def test_a_failure_is_tried_again_by_the_schedule_until_the_last_attempt(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    receiver.answers = [(500, {})] * (len(DELAYS) + 1)
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    await any_hooks.core.task()
    for attempt, delay in enumerate(DELAYS, start=1):
        before = datetime.now(UTC)
        await any_hooks.send()
        delivery = await any_hooks.delivery(subscription)
        assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, attempt)
        assert (delivery.last_status, delivery.last_error) == (500, "bad_status")
        assert delivery.due_at is not None
        assert delay <= delivery.due_at - before <= delay * 1.2 + timedelta(seconds=60)
        await any_hooks.send()  # it is not due
        assert len(receiver.requests) == attempt
        await any_hooks.make_due()
    await any_hooks.send()
    delivery = await any_hooks.delivery(subscription)
    assert (delivery.state, delivery.due_at) == (DeliveryState.FAILED, None)
    assert delivery.ended_at is not None
    ids = {request.headers["webhook-id"] for request in receiver.requests}
    assert ids == {str(delivery.event_id)}


async def test_a_replay_begins_anew_with_the_same_id(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    subscription = (await any_hooks.subscribe(receiver.url("/old"))).subscription
    first = await any_hooks.ping(subscription)
    await any_hooks.send()
    use_cases = any_hooks.core.use_cases
    fields = SubscriptionFields(target=receiver.url("/new"))
    await use_cases.subscriptions.update(WHO, subscription.id, fields)
    again = await use_cases.deliveries.replay(WHO, subscription.id, first.id)
    assert (again.state, again.attempts, again.ended_at) == (DeliveryState.PENDING, 0, None)
    await any_hooks.send()
    assert [request.path for request in receiver.requests] == ["/old", "/new"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    log = await use_cases.audit.list(WHO, Slice(limit=100))
    assert "deliveries.replay" in [entry.action for entry in log.items]


async def test_who_is_gone_is_left_alone(any_hooks: Notifying, receiver: Receiver) -> None:
    receiver.answers.append((410, {}))
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    await any_hooks.ping(subscription)
    await any_hooks.send()
    disabled = await any_hooks.subscription(subscription.id)
    assert (disabled.disabled_reason, disabled.version) == (DisabledReason.GONE, 2)
    assert (await any_hooks.delivery(subscription)).state is DeliveryState.FAILED
    await any_hooks.core.task()
    await any_hooks.send()
    assert len(receiver.requests) == 1
    log = await any_hooks.core.use_cases.audit.list(WHO, Slice(limit=100))
    assert ("deliverer", "subscriptions.disable", f"subscriptions/{subscription.id}") in [
        (entry.principal, entry.action, entry.resource) for entry in log.items
    ]


async def test_who_fails_for_days_is_disabled_and_what_is_pending_rests(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    receiver.answers = [(500, {}), (500, {})]
    await any_hooks.core.task()
    await any_hooks.send()
    await any_hooks.failing_for(timedelta(days=4, hours=23))
    await any_hooks.make_due()
    await any_hooks.send()
    assert (await any_hooks.subscription(subscription.id)).enabled
    await any_hooks.failing_for(timedelta(days=5, minutes=1))
    await any_hooks.make_due()
    receiver.answers = [(500, {})]
    await any_hooks.send()
    disabled = await any_hooks.subscription(subscription.id)
    assert disabled.disabled_reason is DisabledReason.FAILING
    delivery = await any_hooks.delivery(subscription)
    assert (delivery.state, delivery.due_at) == (DeliveryState.PENDING, None)
    fields = SubscriptionFields(enabled=True)
    await any_hooks.core.use_cases.subscriptions.update(WHO, subscription.id, fields)
    await any_hooks.send()
    assert (await any_hooks.delivery(subscription)).state is DeliveryState.SUCCEEDED


async def test_one_success_ends_a_time_of_failures_and_a_ping_begins_none(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    receiver.answers = [(500, {})]
    await any_hooks.ping(subscription)
    await any_hooks.send()
    assert (await any_hooks.subscription(subscription.id)).failing_since is None
    receiver.answers = [(500, {})]
    await any_hooks.core.task()
    await any_hooks.send()
    assert (await any_hooks.subscription(subscription.id)).failing_since is not None
    await any_hooks.make_due()
    await any_hooks.send()
    assert (await any_hooks.subscription(subscription.id)).failing_since is None


async def test_a_slow_receiver_keeps_to_its_share(sqlite_url: str) -> None:
    slow = Slow("slow.localhost")
    async with notifying(sqlite_url, slow) as hooks:
        stuck = (await hooks.subscribe("https://slow.localhost/")).subscription
        await asyncio.gather(*(hooks.ping(stuck) for _ in range(AT_ONCE * 3)))
        quick = (await hooks.subscribe("https://quick.localhost/")).subscription
        await asyncio.gather(*(hooks.ping(quick) for _ in range(AT_ONCE)))
        await hooks.begin()
        while len(slow.sent) < AT_ONCE:
            assert await hooks.wait.wait(60)
            await hooks.begin()
        assert slow.stuck == PER_HOST


async def test_one_host_gets_so_many_at_once(hooks: Notifying, receiver: Receiver) -> None:
    receiver.open.clear()
    subscription = (await hooks.subscribe(receiver.url())).subscription
    await asyncio.gather(*(hooks.ping(subscription) for _ in range(PER_HOST * 3)))
    await hooks.begin()
    await receiver.received(PER_HOST)
    receiver.open.set()
    await hooks.send()
    assert len(receiver.requests) == PER_HOST * 3
    assert receiver.most_at_once == PER_HOST


async def test_one_receiver_that_fails_does_not_hold_up_another(
    hooks: Notifying, receiver: Receiver
) -> None:
    with running_receiver() as other:
        await hooks.subscribe(receiver.url())
        other.answers = [(500, {})] * 10
        await hooks.subscribe(other.url())
        await hooks.core.complete(await hooks.core.task())
        await hooks.send()
        assert len(receiver.requests) == len(other.requests) == 5


async def test_what_cannot_be_sent_does_not_come_for_ever(sqlite_url: str) -> None:
    async with notifying(sqlite_url, Broken()) as hooks:
        subscription = (await hooks.subscribe("https://a.localhost/")).subscription
        await hooks.ping(subscription)
        await hooks.send()
        delivery = await hooks.delivery(subscription)
        assert (delivery.attempts, delivery.last_error) == (1, "internal_error")


async def test_a_commit_wakes_the_deliverer_and_an_end_breaks_off(
    sqlite_url: str, senders: Senders, receiver: Receiver
) -> None:
    async with notifying(sqlite_url, senders) as hooks:
        use_cases = hooks.core.use_cases
        hour = timedelta(hours=1)
        deliverer = Deliverer(use_cases.sending, senders, hooks.core.signals, hour)
        running = asyncio.create_task(deliverer.run())
        subscription = (await hooks.subscribe(receiver.url())).subscription
        with hooks.core.signals.subscribe(signals.DELIVERIES):
            await hooks.ping(subscription)
        await receiver.received()
        receiver.open.clear()
        await hooks.ping(subscription)
        await receiver.received(2)
        running.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await running
        assert (await hooks.delivery(subscription)).state is DeliveryState.PENDING
        receiver.open.set()
        await hooks.forget_takings()
        await hooks.send()
        assert (await hooks.delivery(subscription)).state is DeliveryState.SUCCEEDED
        ids = [request.headers["webhook-id"] for request in receiver.requests]
        assert ids[1] == ids[2] != ids[0]


async def test_a_target_for_one_event_is_sent_to(any_hooks: Notifying, receiver: Receiver) -> None:
    event = an_event()
    await any_hooks.core.use_cases.executor.write(
        lambda t: deliver_once(t, "default", receiver.url("/done"), event)
    )
    await any_hooks.send()
    (got,) = receiver.requests
    assert (got.path, got.headers["webhook-id"], got.body) == ("/done", str(event.id), event.body)


async def test_what_was_written_for_a_subscription_that_is_gone_is_dropped(
    any_hooks: Notifying,
) -> None:
    write = any_hooks.core.use_cases.executor.write
    to = [(uuid4(), "https://a.localhost/")]
    await write(lambda t: delivery_rows.add(t, "default", an_event(), to))
    await any_hooks.send()
    assert await any_hooks.rows() == []


async def test_what_was_written_while_it_was_being_disabled_waits(any_hooks: Notifying) -> None:
    use_cases = any_hooks.core.use_cases
    fields = SubscriptionFields(target="https://a.localhost/", enabled=False)
    subscription = (await use_cases.subscriptions.create(WHO, fields)).subscription
    to = [(subscription.id, subscription.target)]
    await use_cases.executor.write(lambda t: delivery_rows.add(t, "default", an_event(), to))
    before = datetime.now(UTC)
    await any_hooks.send()
    (row,) = await any_hooks.rows()
    assert (row.state, row.attempts) == (DeliveryState.PENDING, 0)
    assert row.due_at > before + timedelta(seconds=30)


async def test_what_is_over_is_forgotten_and_nothing_else(
    any_hooks: Notifying, receiver: Receiver
) -> None:
    subscription = (await any_hooks.subscribe(receiver.url())).subscription
    await any_hooks.ping(subscription)
    await any_hooks.send()
    await any_hooks.ping(subscription)
    write = any_hooks.core.use_cases.executor.write
    past, future = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    assert await write(lambda t: delivery_rows.forget(t, past, 10)) == 0
    assert await write(lambda t: delivery_rows.forget(t, future, 10)) == 1
    assert [row.state for row in await any_hooks.rows()] == [DeliveryState.PENDING]


async def test_what_another_replica_is_taking_is_passed_over_without_waiting(
    any_hooks: Notifying, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        return  # one writer: there is nobody to pass over
    subscription = (await any_hooks.subscribe("https://a.localhost/")).subscription
    await any_hooks.ping(subscription)
    replica = open_engines(database_url)
    now = datetime.now(UTC) + timedelta(minutes=1)
    try:
        async with replica.write.connect() as connection, asyncio.timeout(8):
            taking = await connection.run_sync(delivery_rows.due, now, 10, [])
            assert len(taking) == 1
            assert await any_hooks.core.use_cases.sending.take(10, {}, 10) == ()
    finally:
        await replica.dispose()
    assert len(await any_hooks.core.use_cases.sending.take(10, {}, 10)) == 1
