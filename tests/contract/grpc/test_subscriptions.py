"""SubscriptionService over a real channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from structlog.testing import capture_logs

from services.api.domain.subscriptions import MAX_SUBSCRIPTIONS, Outcome
from stagedoor.v1 import subscription_service_pb2 as pb
from tests.support.core import a_principal
from tests.support.door import refused

if TYPE_CHECKING:
    from tests.support.core import Core
    from tests.support.door import Door

TARGET = "https://hooks.example.com/in?key=1"
UNKNOWN = UUID(int=7)


async def create(door: Door, key: str = "", **fields: Any) -> pb.Subscription:
    subscription = pb.Subscription(**{"target": TARGET, **fields})
    request = pb.CreateSubscriptionRequest(subscription=subscription, request_id=key)
    return await door.subscriptions.CreateSubscription(request, metadata=door.admin)


async def update(door: Door, subscription: pb.Subscription, *paths: str) -> pb.Subscription:
    request = pb.UpdateSubscriptionRequest(
        subscription=subscription, update_mask=FieldMask(paths=paths)
    )
    return await door.subscriptions.UpdateSubscription(request, metadata=door.admin)


async def get(door: Door, name: str) -> pb.Subscription:
    request = pb.GetSubscriptionRequest(name=name)
    return await door.subscriptions.GetSubscription(request, metadata=door.admin)


async def rotate(door: Door, name: str, **fields: Any) -> pb.Subscription:
    request = pb.RotateSubscriptionSecretRequest(name=name, **fields)
    return await door.subscriptions.RotateSubscriptionSecret(request, metadata=door.admin)


async def ping(door: Door, name: str, key: str = "") -> pb.Delivery:
    request = pb.PingSubscriptionRequest(name=name, request_id=key)
    return await door.subscriptions.PingSubscription(request, metadata=door.admin)


async def deliveries(door: Door, parent: str, **fields: Any) -> pb.ListDeliveriesResponse:
    request = pb.ListDeliveriesRequest(parent=parent, **fields)
    return await door.subscriptions.ListDeliveries(request, metadata=door.admin)


async def replay(door: Door, name: str, key: str = "") -> pb.Delivery:
    request = pb.ReplayDeliveryRequest(name=name, request_id=key)
    return await door.subscriptions.ReplayDelivery(request, metadata=door.admin)


async def attempt(core: Core, outcome: Outcome) -> None:
    """What is due was tried, and came to this."""
    sending = core.use_cases.sending
    taken = await sending.take(10, {}, 10)
    assert taken
    await sending.settle([(each, outcome) for each in taken])


async def test_a_subscription_lives_and_ends(door: Door) -> None:
    created = await create(door, event_types=["stagedoor.import_task.*"], description="Ours")
    assert (created.target, created.description) == (TARGET, "Ours")
    assert (created.enabled, [*created.event_types]) == (True, ["stagedoor.import_task.*"])
    kept = await get(door, created.name)
    changed = pb.Subscription(name=kept.name, description="Theirs", etag=kept.etag)
    after = await update(door, changed)
    assert (after.description, after.target, after.enabled) == ("Theirs", TARGET, True)
    assert after.update_time.ToDatetime() > kept.update_time.ToDatetime()
    answer = await refused(update(door, changed))
    assert (answer.code, answer.reason) == (StatusCode.ABORTED, "ETAG_MISMATCH")
    gone = pb.DeleteSubscriptionRequest(name=kept.name, etag=after.etag)
    await door.subscriptions.DeleteSubscription(gone, metadata=door.admin)
    answer = await refused(get(door, kept.name))
    assert answer.resource == ("stagedoor.dev/Subscription", kept.name)


async def test_only_who_makes_a_secret_is_told(door: Door) -> None:
    """Neither reads nor lists nor the log tell it again."""
    with capture_logs() as logs:
        created = await create(door)
        rotated = await rotate(door, created.name)
    secrets = {created.secret, rotated.secret}
    assert len(secrets) == 2
    assert all(each.startswith("whsec_") for each in secrets)
    listed = await door.subscriptions.ListSubscriptions(
        pb.ListSubscriptionsRequest(), metadata=door.admin
    )
    seen = [await get(door, created.name), *listed.subscriptions]
    seen.append(await update(door, pb.Subscription(name=created.name, description="x")))
    assert [each.secret for each in seen] == ["", "", ""]
    assert not any(secret in str(logs) for secret in secrets)


async def test_the_same_request_is_told_the_same_secret(door: Door) -> None:
    first, again = [await create(door, "a") for _ in range(2)]
    assert first == again
    rotated, repeated = [await rotate(door, first.name, request_id="b") for _ in range(2)]
    assert rotated == repeated
    assert rotated.secret != first.secret
    assert (await refused(rotate(door, first.name, request_id="a"))).reason == "REQUEST_ID_REUSED"


async def test_nothing_is_told_when_nothing_is_made(door: Door) -> None:
    request = pb.CreateSubscriptionRequest(
        subscription=pb.Subscription(target=TARGET), validate_only=True
    )
    tried = await door.subscriptions.CreateSubscription(request, metadata=door.admin)
    assert (tried.target, tried.secret) == (TARGET, "")
    answer = await refused(get(door, tried.name))
    assert answer.code is StatusCode.NOT_FOUND


async def test_disabled_and_enabled_again(door: Door) -> None:
    off = await create(door, enabled=False)
    assert (off.enabled, off.disabled_reason) == (
        False,
        pb.Subscription.DISABLED_REASON_ASKED,
    )
    answer = await refused(ping(door, off.name))
    assert (answer.code, answer.metadata) == (
        StatusCode.FAILED_PRECONDITION,
        {"status": "disabled"},
    )
    # A whole replacement that says nothing of it leaves it as it is.
    same = await update(door, pb.Subscription(name=off.name, target=TARGET, description="x"), "*")
    assert not same.enabled
    on = await update(door, pb.Subscription(name=off.name, enabled=True))
    assert (on.enabled, on.disabled_reason) == (True, 0)
    answer = await refused(update(door, pb.Subscription(name=off.name), "enabled"))
    assert answer.fields == {"subscription.enabled": "INVALID"}


async def test_every_wrong_field_is_named(door: Door) -> None:
    wrong: dict[str, Any] = {
        "target": "https://127.0.0.1/",
        "event_types": ["nope"],
        "description": "a\nb",
    }
    answer = await refused(create(door, **wrong))
    assert answer.code is StatusCode.INVALID_ARGUMENT
    assert answer.fields == {
        "subscription.target": "ADDRESS_REFUSED",
        "subscription.event_types": "INVALID",
        "subscription.description": "INVALID",
    }
    assert (await refused(create(door, target=""))).fields == {"subscription.target": "REQUIRED"}
    mail = await refused(create(door, target="mailto:a@example.com"))
    assert mail.fields == {"subscription.target": "MAIL_UNAVAILABLE"}


@pytest.mark.parametrize("overlap", [Duration(seconds=-1), Duration(seconds=604_801)])
async def test_how_long_a_secret_may_not_overlap(door: Door, overlap: Duration) -> None:
    created = await create(door)
    answer = await refused(rotate(door, created.name, overlap=overlap))
    assert answer.fields == {"overlap": "INVALID"}
    await rotate(door, created.name, overlap=Duration(seconds=0), etag=created.etag)
    answer = await refused(rotate(door, created.name, etag=created.etag))
    assert answer.code is StatusCode.ABORTED


async def test_a_tenant_has_so_many_and_no_more(door: Door) -> None:
    for _ in range(MAX_SUBSCRIPTIONS):
        await create(door)
    answer = await refused(create(door))
    assert (answer.code, answer.reason) == (
        StatusCode.FAILED_PRECONDITION,
        "TOO_MANY_SUBSCRIPTIONS",
    )


async def test_a_delivery_from_ping_to_replay(door: Door, core: Core) -> None:
    subscription = (await create(door)).name
    sent, again = [await ping(door, subscription, "a") for _ in range(2)]
    assert sent == again
    assert (sent.event_type, sent.target) == ("stagedoor.ping", TARGET)
    assert (sent.state, sent.attempts) == (pb.Delivery.STATE_PENDING, 0)
    assert sent.next_attempt_time == sent.create_time
    await attempt(core, Outcome(error="bad_status", status=500, permanent=True))
    request = pb.GetDeliveryRequest(name=sent.name)
    failed = await door.subscriptions.GetDelivery(request, metadata=door.admin)
    assert (failed.state, failed.attempts) == (pb.Delivery.STATE_FAILED, 1)
    assert (failed.last_status, failed.last_error) == (500, "bad_status")
    assert failed.end_time == failed.last_attempt_time
    assert not failed.HasField("next_attempt_time")
    replayed = await replay(door, sent.name, "b")
    assert (replayed.state, replayed.attempts) == (pb.Delivery.STATE_PENDING, 0)
    assert replayed.event == sent.event
    await attempt(core, Outcome(status=204))
    assert await replay(door, sent.name, "b") == replayed
    [kept] = (await deliveries(door, subscription)).deliveries
    assert (kept.state, kept.last_status) == (pb.Delivery.STATE_SUCCEEDED, 204)


async def test_deliveries_are_listed_newest_first_and_by_state(door: Door, core: Core) -> None:
    subscription = (await create(door)).name
    names = [(await ping(door, subscription)).name for _ in range(2)]
    await attempt(core, Outcome(error="timeout", permanent=True))
    names.insert(0, (await ping(door, subscription)).name)
    names = [names[0], names[2], names[1]]
    first = await deliveries(door, subscription, page_size=2)
    assert ([each.name for each in first.deliveries], first.total_size) == (names[:2], 3)
    token = first.next_page_token
    rest = await deliveries(door, subscription, page_size=2, page_token=token)
    assert ([each.name for each in rest.deliveries], rest.next_page_token) == (names[2:], "")
    oldest = await deliveries(door, subscription, order_by="create_time")
    assert [each.name for each in oldest.deliveries] == names[::-1]
    failed = await deliveries(door, subscription, filter="state = FAILED")
    assert ([each.name for each in failed.deliveries], failed.total_size) == (names[1:], 2)
    for wrong in ({"filter": "state = GONE"}, {"page_token": token, "filter": "state = FAILED"}):
        answer = await refused(deliveries(door, subscription, **wrong))
        assert answer.code is StatusCode.INVALID_ARGUMENT


async def test_a_delivery_is_found_below_its_own_subscription_only(door: Door) -> None:
    mine, other = (await create(door)).name, (await create(door)).name
    id_ = (await ping(door, mine)).name.rpartition("/")[2]
    for name in (f"{other}/deliveries/{id_}", f"subscriptions/{UNKNOWN}/deliveries/{id_}"):
        request = pb.GetDeliveryRequest(name=name)
        answers = [
            await refused(door.subscriptions.GetDelivery(request, metadata=door.admin)),
            await refused(replay(door, name)),
        ]
        assert [each.resource for each in answers] == [("stagedoor.dev/Delivery", name)] * 2
    unknown = f"subscriptions/{UNKNOWN}"
    answer = await refused(deliveries(door, unknown))
    assert answer.resource == ("stagedoor.dev/Subscription", unknown)


@pytest.mark.parametrize("name", ["", "x", "subscriptions/1/deliveries/2", "deliveries/{id}"])
async def test_what_is_no_name(door: Door, name: str) -> None:
    answer = await refused(replay(door, name.format(id=UNKNOWN)))
    assert answer.fields == {"name": "INVALID" if name else "REQUIRED"}
    answer = await refused(deliveries(door, name))
    assert answer.fields == {"parent": "INVALID" if name else "REQUIRED"}


async def test_another_tenant_s_are_not_there(door: Door, core: Core) -> None:
    mine = (await create(door)).name
    sent = await ping(door, mine)
    stranger = await door.holder("subscriptions:read", "subscriptions:write", tenant="other")
    listed = await door.subscriptions.ListSubscriptions(
        pb.ListSubscriptionsRequest(), metadata=stranger
    )
    assert (list(listed.subscriptions), listed.total_size) == ([], 0)
    request = pb.ListDeliveriesRequest(parent=mine)
    answer = await refused(door.subscriptions.ListDeliveries(request, metadata=stranger))
    assert answer.code is StatusCode.NOT_FOUND
    id_ = UUID(sent.name.rpartition("/")[2])
    assert (await core.use_cases.deliveries.get(a_principal(), None, id_)).id == id_
