"""``stagedoor subscriptions``: who is told of events, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import AsJson, PageSize, PageToken  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stagedoor.v1.subscription_service_pb2 import Delivery, Subscription

app = typer.Typer(no_args_is_help=True, help="Tell others of events by webhook or mail.")
COLLECTION = "subscriptions"
DELIVERIES = "deliveries"

SubscriptionId = Annotated[
    str, typer.Argument(metavar="SUBSCRIPTION", help="An id or subscriptions/ID.")
]


@app.command()
def create(
    *,
    target: Annotated[str, typer.Argument(metavar="URL", help="https://… or mailto:NAME@DOMAIN.")],
    event: Annotated[
        list[str] | None,
        typer.Option(
            help="Only these: stagedoor.import_task.completed, stagedoor.import_task.*, ...; "
            "repeatable. All when not given."
        ),
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Subscribe a URL or a mail address; its secret is shown this once."""
    from cli.client import connect, request_id
    from stagedoor.v1.subscription_service_pb2 import CreateSubscriptionRequest, Subscription

    wanted = Subscription(target=target, event_types=event or (), description=description)
    request = CreateSubscriptionRequest(subscription=wanted, request_id=request_id())
    with connect() as client:
        created = client.call(client.subscriptions.CreateSubscription, request)
    _show_secret(created, as_json=as_json)


@app.command("list")
def list_(*, page_size: PageSize = 20, page_token: PageToken = "", as_json: AsJson = False) -> None:
    """List subscriptions, oldest first."""
    from cli.client import connect
    from cli.output import id_of, print_json, print_table
    from stagedoor.v1.subscription_service_pb2 import ListSubscriptionsRequest

    request = ListSubscriptionsRequest(page_size=page_size, page_token=page_token)
    with connect() as client:
        page = client.call(client.subscriptions.ListSubscriptions, request)
    if as_json:
        print_json(page)
        return
    rows = [
        (id_of(each.name), each.target, _events(each), _status(each), each.description)
        for each in page.subscriptions
    ]
    headings = ("SUBSCRIPTION", "TARGET", "EVENTS", "STATUS", "DESCRIPTION")
    print_table(headings, rows, page.next_page_token)


@app.command()
def get(*, subscription: SubscriptionId, as_json: AsJson = False) -> None:
    """Show one subscription."""
    from cli.client import connect, resource_name
    from stagedoor.v1.subscription_service_pb2 import GetSubscriptionRequest

    request = GetSubscriptionRequest(name=resource_name(COLLECTION, subscription))
    with connect() as client:
        _show(client.call(client.subscriptions.GetSubscription, request), as_json=as_json)


@app.command()
def delete(*, subscription: SubscriptionId) -> None:
    """Delete a subscription and what is pending of it."""
    from cli.client import connect, resource_name
    from stagedoor.v1.subscription_service_pb2 import DeleteSubscriptionRequest

    request = DeleteSubscriptionRequest(name=resource_name(COLLECTION, subscription))
    with connect() as client:
        client.call(client.subscriptions.DeleteSubscription, request)


@app.command()
def enable(*, subscription: SubscriptionId, as_json: AsJson = False) -> None:
    """Send events again, first those that waited."""
    _switch(subscription, enabled=True, as_json=as_json)


@app.command()
def disable(*, subscription: SubscriptionId, as_json: AsJson = False) -> None:
    """Send nothing; what is pending waits."""
    _switch(subscription, enabled=False, as_json=as_json)


@app.command()
def rotate(
    *,
    subscription: SubscriptionId,
    overlap_hours: Annotated[
        float, typer.Option(min=0, max=168, help="How long the old one signs as well.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Make a new secret, which is shown this once."""
    from google.protobuf.duration_pb2 import Duration

    from cli.client import connect, request_id, resource_name
    from stagedoor.v1.subscription_service_pb2 import RotateSubscriptionSecretRequest

    overlap = Duration()
    overlap.FromNanoseconds(round(overlap_hours * 3600e9))
    request = RotateSubscriptionSecretRequest(
        name=resource_name(COLLECTION, subscription), request_id=request_id(), overlap=overlap
    )
    with connect() as client:
        rotated = client.call(client.subscriptions.RotateSubscriptionSecret, request)
    _show_secret(rotated, as_json=as_json)


@app.command()
def ping(*, subscription: SubscriptionId, as_json: AsJson = False) -> None:
    """Send an event that says nothing, to see whether it arrives."""
    from cli.client import connect, request_id, resource_name
    from stagedoor.v1.subscription_service_pb2 import PingSubscriptionRequest

    name = resource_name(COLLECTION, subscription)
    request = PingSubscriptionRequest(name=name, request_id=request_id())
    with connect() as client:
        sent = client.call(client.subscriptions.PingSubscription, request)
    _show_delivery(sent, as_json=as_json)


@app.command()
def deliveries(
    *,
    subscription: SubscriptionId,
    state: Annotated[str, typer.Option(help="Only these: pending, succeeded or failed.")] = "",
    page_size: PageSize = 20,
    page_token: PageToken = "",
    as_json: AsJson = False,
) -> None:
    """List what was sent and what is to be, newest first."""
    from cli.client import connect, resource_name
    from cli.output import print_json, print_table
    from stagedoor.v1.subscription_service_pb2 import ListDeliveriesRequest

    request = ListDeliveriesRequest(
        parent=resource_name(COLLECTION, subscription),
        filter=f"state = {state.upper()}" if state else "",
        page_size=page_size,
        page_token=page_token,
    )
    with connect() as client:
        page = client.call(client.subscriptions.ListDeliveries, request)
    if as_json:
        print_json(page)
        return
    headings = ("DELIVERY", "EVENT", "STATE", "ATTEMPTS", "LAST", "CREATED", "NEXT")
    print_table(headings, [_row(each) for each in page.deliveries], page.next_page_token)


@app.command()
def replay(
    *,
    subscription: SubscriptionId,
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id.")],
    as_json: AsJson = False,
) -> None:
    """Send something again now, with the same webhook-id."""
    from cli.client import connect, request_id, resource_name
    from stagedoor.v1.subscription_service_pb2 import ReplayDeliveryRequest

    name = f"{resource_name(COLLECTION, subscription)}/{resource_name(DELIVERIES, delivery)}"
    request = ReplayDeliveryRequest(name=name, request_id=request_id())
    with connect() as client:
        sent = client.call(client.subscriptions.ReplayDelivery, request)
    _show_delivery(sent, as_json=as_json)


def _switch(subscription: str, *, enabled: bool, as_json: bool) -> None:
    from google.protobuf.field_mask_pb2 import FieldMask

    from cli.client import connect, resource_name
    from stagedoor.v1.subscription_service_pb2 import Subscription, UpdateSubscriptionRequest

    request = UpdateSubscriptionRequest(
        subscription=Subscription(name=resource_name(COLLECTION, subscription), enabled=enabled),
        update_mask=FieldMask(paths=["enabled"]),
    )
    with connect() as client:
        _show(client.call(client.subscriptions.UpdateSubscription, request), as_json=as_json)


def _events(subscription: Subscription) -> str:
    return ", ".join(subscription.event_types) or "(all)"


def _status(subscription: Subscription) -> str:
    """Whether events are sent, and why not; the number of a reason that is not known here."""
    from stagedoor.v1.subscription_service_pb2 import Subscription

    if subscription.enabled:
        return "enabled"
    number = subscription.disabled_reason
    value = Subscription.DisabledReason.DESCRIPTOR.values_by_number.get(number)
    reason = value.name.removeprefix("DISABLED_REASON_").lower() if value else str(number)
    return f"disabled ({reason})"


def _state(delivery: Delivery) -> str:
    from stagedoor.v1.subscription_service_pb2 import Delivery

    value = Delivery.State.DESCRIPTOR.values_by_number.get(delivery.state)
    return value.name.removeprefix("STATE_").lower() if value else str(delivery.state)


def _last(delivery: Delivery) -> str:
    """What came of the last attempt."""
    status = str(delivery.last_status) if delivery.HasField("last_status") else ""
    return " ".join(filter(None, (delivery.last_error, status)))


def _row(delivery: Delivery) -> tuple[str, ...]:
    from cli.output import id_of, moment

    return (
        id_of(delivery.name),
        delivery.event_type,
        _state(delivery),
        str(delivery.attempts),
        _last(delivery),
        moment(delivery.create_time),
        moment(delivery.next_attempt_time),
    )


def _show(subscription: Subscription, *, as_json: bool) -> None:
    from cli.output import print_fields, print_json

    if as_json:
        print_json(subscription)
    else:
        print_fields(list(_fields(subscription)))


def _fields(subscription: Subscription) -> Iterator[tuple[str, str]]:
    from cli.output import moment

    yield "subscription", subscription.name
    yield "target", subscription.target
    yield "events", _events(subscription)
    yield "status", _status(subscription)
    yield "failing since", moment(subscription.fail_time)
    yield "description", subscription.description
    yield "created", moment(subscription.create_time)
    yield "updated", moment(subscription.update_time)


def _show_secret(subscription: Subscription, *, as_json: bool) -> None:
    from cli.output import print_fields, print_json

    if as_json:
        print_json(subscription)
    else:
        print_fields([("subscription", subscription.name), ("secret", subscription.secret)])


def _show_delivery(delivery: Delivery, *, as_json: bool) -> None:
    from cli.output import moment, print_fields, print_json

    if as_json:
        print_json(delivery)
        return
    print_fields(
        [
            ("delivery", delivery.name),
            ("event", f"{delivery.event_type} {delivery.event}"),
            ("target", delivery.target),
            ("state", _state(delivery)),
            ("next attempt", moment(delivery.next_attempt_time)),
        ]
    )
