"""Subscriptions: who may have which, and what changes do to what is pending."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import select

from services.api.db.engine import open_engines
from services.api.db.tables import idempotency_keys, subscriptions
from services.api.db.transactions import Flight, Transaction
from services.api.domain.errors import (
    EtagMismatch,
    InvalidFields,
    NotFound,
    ScopeMissing,
    StateConflict,
    TooManySubscriptions,
)
from services.api.domain.queries import DeliveryQuery, Slice, SubscriptionQuery
from services.api.domain.subscriptions import MAX_SUBSCRIPTIONS, DeliveryState, DisabledReason
from services.api.use_cases.options import Options
from services.api.use_cases.subscriptions import SubscriptionFields
from tests.support.core import a_principal

if TYPE_CHECKING:
    from services.api.domain.subscriptions import Delivery, Subscription
    from tests.support.core import Core

WHO = a_principal()
HOOK = "https://hooks.example.com/stagedoor"
ALL = SubscriptionQuery(limit=100)
EVERY = DeliveryQuery(limit=100)


async def _subscribe(core: Core, *types: str, target: str = HOOK) -> Subscription:
    fields = SubscriptionFields(target=target, event_types=list(types))
    return (await core.use_cases.subscriptions.create(WHO, fields)).subscription


async def _deliveries(core: Core, subscription: Subscription) -> tuple[Delivery, ...]:
    return (await core.use_cases.deliveries.list(WHO, subscription.id, EVERY)).items


async def test_a_subscription_comes_back_and_its_secret_only_once(any_core: Core) -> None:
    use_cases = any_core.use_cases.subscriptions
    fields = SubscriptionFields(
        target="https://Hooks.example.com/a",
        event_types=["stagedoor.import_task.completed"],
        description="The catalogue",
    )
    created = await use_cases.create(WHO, fields)
    made = created.subscription
    assert (made.target, made.version, made.enabled) == ("https://hooks.example.com/a", 1, True)
    assert len(base64.b64decode(created.secret.removeprefix("whsec_"))) == 32
    assert created.secret not in repr(created)
    assert await use_cases.get(WHO, made.id) == made
    page = await use_cases.list(WHO, ALL)
    assert (page.items, page.total) == ((made,), 1)


async def test_no_secret_is_readable_in_the_database(core: Core) -> None:
    use_cases = core.use_cases.subscriptions
    key = Options(key="k")
    created = await use_cases.create(WHO, SubscriptionFields(target=HOOK), options=key)
    plain = created.secret.removeprefix("whsec_")
    stored = await core.use_cases.executor.read(
        lambda c: (
            c.scalars(select(subscriptions.c.secret)).all(),
            c.execute(select(idempotency_keys)).all(),
        )
    )
    assert base64.b64decode(plain) not in stored[0][0]
    assert plain not in repr(stored)
    again = await use_cases.create(WHO, SubscriptionFields(target=HOOK), options=key)
    assert again == created


async def test_trying_out_creates_nothing(core: Core) -> None:
    use_cases = core.use_cases.subscriptions
    options = Options(validate_only=True)
    tried = await use_cases.create(WHO, SubscriptionFields(target=HOOK), options=options)
    assert tried.secret == ""
    assert (await use_cases.list(WHO, ALL)).total == 0


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (SubscriptionFields(), ("target", "required")),
        (SubscriptionFields(target="http://example.com"), ("target", "not_https")),
        (SubscriptionFields(target="https://10.0.0.1/"), ("target", "address_refused")),
        (SubscriptionFields(target="mailto:a@example.com"), ("target", "mail_unavailable")),
        (SubscriptionFields(target=HOOK, event_types=["no"]), ("event_types", "invalid")),
        (SubscriptionFields(target=HOOK, event_types="stagedoor.*"), ("event_types", "invalid")),
        (SubscriptionFields(target=HOOK, description="a\nb"), ("description", "invalid")),
        (SubscriptionFields(target=HOOK, description="a" * 256), ("description", "invalid")),
        (SubscriptionFields(target=HOOK, enabled="yes"), ("enabled", "invalid")),
    ],
)
async def test_wrong_values_are_named(
    core: Core, fields: SubscriptionFields, wrong: tuple[str, str]
) -> None:
    with pytest.raises(InvalidFields) as refused:
        await core.use_cases.subscriptions.create(WHO, fields)
    assert [(v.field, v.code) for v in refused.value.violations] == [wrong]


async def test_a_tenant_has_at_most_fifty(any_core: Core) -> None:
    async def one() -> str:
        try:
            await _subscribe(any_core)
        except TooManySubscriptions as refused:
            return refused.reason
        return "made"

    made = await asyncio.gather(*(one() for _ in range(MAX_SUBSCRIPTIONS + 5)))
    assert sorted(made) == ["TOO_MANY_SUBSCRIPTIONS"] * 5 + ["made"] * MAX_SUBSCRIPTIONS


async def test_two_replicas_do_not_both_make_the_last_one(
    any_core: Core, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        return  # one writer: no two at once
    for _ in range(MAX_SUBSCRIPTIONS - 1):
        await _subscribe(any_core)
    use_cases = any_core.use_cases.subscriptions
    unit = use_cases.creating(WHO, SubscriptionFields(target=HOOK))
    replica = open_engines(database_url)
    try:
        async with replica.write.connect() as connection:
            await connection.run_sync(lambda c: unit(Transaction(Flight(c))))
            late = asyncio.create_task(_subscribe(any_core))
            await asyncio.wait({late}, timeout=0.5)
            await connection.commit()
        with pytest.raises(TooManySubscriptions):
            await late
    finally:
        await replica.dispose()


async def test_scopes_and_tenants(core: Core) -> None:
    subscription = await _subscribe(core)
    use_cases, deliveries = core.use_cases.subscriptions, core.use_cases.deliveries
    reader, other = a_principal("default", "subscriptions:read"), a_principal("other")
    assert await use_cases.get(reader, subscription.id) == subscription
    for refused in (
        use_cases.create(reader, SubscriptionFields(target=HOOK)),
        use_cases.update(reader, subscription.id, SubscriptionFields()),
        use_cases.rotate_secret(reader, subscription.id),
        use_cases.ping(reader, subscription.id),
        use_cases.delete(reader, subscription.id),
        deliveries.replay(reader, subscription.id, uuid4()),
        use_cases.get(a_principal("default", "tasks:read"), subscription.id),
    ):
        with pytest.raises(ScopeMissing):
            await refused
    for unknown in (
        use_cases.get(other, subscription.id),
        use_cases.update(other, subscription.id, SubscriptionFields()),
        use_cases.rotate_secret(other, subscription.id),
        use_cases.ping(other, subscription.id),
        use_cases.delete(other, subscription.id),
        deliveries.list(other, subscription.id, EVERY),
        deliveries.get(other, subscription.id, uuid4()),
        deliveries.replay(other, subscription.id, uuid4()),
    ):
        with pytest.raises(NotFound):
            await unknown


async def test_events_become_deliveries_in_their_transaction_each_once(any_core: Core) -> None:
    everything = await _subscribe(any_core)
    completed = await _subscribe(any_core, "stagedoor.import_task.completed")
    await any_core.use_cases.subscriptions.create(
        a_principal("other"), SubscriptionFields(target=HOOK)
    )
    await any_core.complete(await any_core.task())
    seen = await _deliveries(any_core, everything)
    assert [d.event_type.rpartition(".")[2] for d in reversed(seen)] == [
        "pending",
        "downloading",
        "downloaded",
        "validating",
        "completed",
    ]
    (only,) = await _deliveries(any_core, completed)
    assert (only.event_id, only.state) == (seen[0].event_id, DeliveryState.PENDING)
    others = await any_core.use_cases.subscriptions.list(a_principal("other"), ALL)
    assert not (
        await any_core.use_cases.deliveries.list(a_principal("other"), others.items[0].id, EVERY)
    ).items


async def test_changes_need_the_version_and_are_audited(core: Core) -> None:
    use_cases = core.use_cases.subscriptions
    subscription = await _subscribe(core)
    fields = SubscriptionFields(description="New", event_types=None)
    with pytest.raises(EtagMismatch):
        await use_cases.update(WHO, subscription.id, fields, version=7)
    changed = await use_cases.update(WHO, subscription.id, fields, version=1)
    assert (changed.description, changed.version) == ("New", 2)
    assert await use_cases.update(WHO, subscription.id, fields) == changed
    rotated = await use_cases.rotate_secret(WHO, subscription.id, version=2)
    assert rotated.subscription.version == 3
    await use_cases.ping(WHO, subscription.id)
    await use_cases.delete(WHO, subscription.id, version=3)
    with pytest.raises(NotFound):
        await use_cases.get(WHO, subscription.id)
    log = await core.use_cases.audit.list(WHO, Slice(limit=100))
    actions = [e.action.partition(".")[2] for e in log.items if "subscriptions" in e.action]
    assert actions == ["create", "update", "rotateSecret", "ping", "delete"]


async def test_what_is_pending_rests_while_disabled_and_follows_a_new_target(
    any_core: Core,
) -> None:
    use_cases, sending = any_core.use_cases.subscriptions, any_core.use_cases.sending
    subscription = await _subscribe(any_core)
    await any_core.task()
    await use_cases.update(WHO, subscription.id, SubscriptionFields(enabled=False))
    await any_core.task("USRC12345679")  # nobody is told
    (resting,) = await _deliveries(any_core, subscription)
    assert resting.due_at is None
    assert await sending.take(10, {}, 10) == ()
    for refused in (
        use_cases.ping(WHO, subscription.id),
        any_core.use_cases.deliveries.replay(WHO, subscription.id, resting.id),
    ):
        with pytest.raises(StateConflict):
            await refused
    there = SubscriptionFields(enabled=True, target="https://other.example.com/")
    enabled = await use_cases.update(WHO, subscription.id, there)
    assert (enabled.enabled, enabled.disabled_reason) == (True, None)
    (outgoing,) = await sending.take(10, {}, 10)
    assert (outgoing.id, outgoing.target) == (resting.id, "https://other.example.com/")


async def test_deleting_drops_what_is_pending(any_core: Core) -> None:
    subscription = await _subscribe(any_core)
    await any_core.task()
    await any_core.use_cases.subscriptions.delete(WHO, subscription.id)
    assert await any_core.use_cases.sending.take(10, {}, 10) == ()


async def test_both_secrets_sign_until_the_overlap_is_over(any_core: Core) -> None:
    use_cases, sending = any_core.use_cases.subscriptions, any_core.use_cases.sending
    first = await use_cases.create(WHO, SubscriptionFields(target=HOOK))
    id_ = first.subscription.id

    async def signing() -> list[str]:
        await use_cases.ping(WHO, id_)
        (outgoing,) = await sending.take(10, {}, 10)
        return [f"whsec_{base64.b64encode(s).decode()}" for s in outgoing.secrets or ()]

    assert await signing() == [first.secret]
    second = await use_cases.rotate_secret(WHO, id_)
    assert second.secret != first.secret
    assert await signing() == [second.secret, first.secret]
    third = await use_cases.rotate_secret(WHO, id_, overlap=0)
    assert await signing() == [third.secret]


async def test_disabling_says_why(core: Core) -> None:
    fields = SubscriptionFields(target=HOOK, enabled=False)
    made = (await core.use_cases.subscriptions.create(WHO, fields)).subscription
    assert made.disabled_reason is DisabledReason.ASKED
    after = await core.use_cases.subscriptions.update(
        WHO, made.id, SubscriptionFields(enabled=True)
    )
    assert after == replace(made, disabled_reason=None, version=2, updated_at=after.updated_at)
