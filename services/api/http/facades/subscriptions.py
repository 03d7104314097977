"""Subscriptions to events, and their deliveries, as JSON:API beside what a facade is about."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec

from services.api.domain.queries import DeliveryQuery, SubscriptionQuery
from services.api.domain.subscriptions import (
    Delivery,
    DeliveryState,
    DisabledReason,
    Subscription,
)
from services.api.http.jsonapi.operations import Operations, Served, Units
from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.resource import (
    Action,
    Attribute,
    Filter,
    Resource,
    Sort,
    ToMany,
    ToOne,
)
from services.api.use_cases.subscriptions import MAX_DESCRIPTION, SubscriptionFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.operations import Version
    from services.api.http.jsonapi.parse import Members
    from services.api.http.jsonapi.queries import Query
    from services.api.use_cases.options import Options
    from services.api.use_cases.subscriptions import Subscriptions
    from services.api.use_cases.use_cases import UseCases


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription(Subscription):
    """One that was just made: its secret is told this once."""

    secret: str = field(repr=False)


def _meta(subscription: Subscription) -> Mapping[str, object]:
    if isinstance(subscription, NewSubscription):
        return {"secret": subscription.secret}
    return {}


SUBSCRIPTIONS: Resource[Subscription] = Resource(
    type="subscriptions",
    id=attrgetter("id"),
    attributes=(
        Attribute(
            name="target",
            kind=Annotated[str, msgspec.Meta(max_length=2048)],
            read=attrgetter("target"),
            field="target",
            invalid="must be an HTTPS URL or mailto: and an address",
        ),
        Attribute(
            name="eventTypes",
            kind=list[str],
            read=attrgetter("event_types"),
            field="event_types",
            invalid="must be a list of types of events, or prefix.*",
        ),
        Attribute(
            name="description",
            kind=Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION)],
            read=attrgetter("description"),
            field="description",
            invalid=f"must be one line of at most {MAX_DESCRIPTION} characters",
        ),
        Attribute(
            name="enabled",
            kind=bool,
            read=attrgetter("enabled"),
            field="enabled",
            invalid="must be true or false",
        ),
        Attribute(
            name="disabledReason",
            kind=DisabledReason | None,
            read=attrgetter("disabled_reason"),
        ),
        Attribute(name="failingSince", kind=datetime | None, read=attrgetter("failing_since")),
        Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
        Attribute(name="updatedAt", kind=datetime, read=attrgetter("updated_at")),
    ),
    lists=(ToMany(name="deliveries", type="deliveries"),),
    actions=(Action(name="pings", verb="ping", gives="deliveries"),),
    filters=(Filter(name="id", field="ids", parse=parse_id),),
    sorts=(
        Sort(name="createdAt", field="created_at"),
        Sort(name="updatedAt", field="updated_at"),
    ),
    meta=_meta,
    version=attrgetter("version"),
    required=("target",),
    is_secret_when_new=True,
)


def _state(text: str) -> DeliveryState | None:
    return DeliveryState(text) if text in set(DeliveryState) else None


DELIVERIES: Resource[Delivery] = Resource(
    type="deliveries",
    id=attrgetter("id"),
    attributes=(
        Attribute(name="eventId", kind=UUID, read=attrgetter("event_id")),
        Attribute(name="eventType", kind=str, read=attrgetter("event_type")),
        Attribute(name="target", kind=str, read=attrgetter("target")),
        Attribute(name="state", kind=DeliveryState, read=attrgetter("state")),
        Attribute(name="attempts", kind=int, read=attrgetter("attempts")),
        Attribute(name="lastStatus", kind=int | None, read=attrgetter("last_status")),
        Attribute(name="lastError", kind=str | None, read=attrgetter("last_error")),
        Attribute(name="lastAttemptAt", kind=datetime | None, read=attrgetter("last_tried_at")),
        Attribute(name="nextAttemptAt", kind=datetime | None, read=attrgetter("due_at")),
        Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
        Attribute(name="endedAt", kind=datetime | None, read=attrgetter("ended_at")),
    ),
    relationships=(
        ToOne(name="subscription", type="subscriptions", linkage=attrgetter("subscription_id")),
    ),
    actions=(Action(name="replays", verb="replay"),),
    filters=(Filter(name="state", field="states", parse=_state),),
    sorts=(Sort(name="createdAt", field="created_at"),),
)

RESOURCES: tuple[Resource[Any], ...] = (SUBSCRIPTIONS, DELIVERIES)


def served(use_cases: UseCases) -> tuple[Served[Any], ...]:
    """Both, with what can be done with them."""
    return (
        Served(SUBSCRIPTIONS, _subscription_operations(use_cases)),
        Served(DELIVERIES, _delivery_operations(use_cases)),
    )


def _subscription_operations(use_cases: UseCases) -> Operations[Subscription]:
    subscriptions, deliveries = use_cases.subscriptions, use_cases.deliveries

    async def create(who: Principal, given: Members, options: Options) -> Subscription:
        created = await subscriptions.create(who, SubscriptionFields(**given), options=options)
        kept = {
            each.name: getattr(created.subscription, each.name) for each in fields(Subscription)
        }
        return NewSubscription(**kept, secret=created.secret)

    async def rotate(
        who: Principal, id_: UUID, overlap: object, version: Version, options: Options
    ) -> str:
        rotated = await subscriptions.rotate_secret(
            who, id_, version=version, overlap=overlap, options=options
        )
        return rotated.secret

    async def list_below(who: Principal, id_: UUID, query: Query) -> Page[Any]:
        return await deliveries.list(who, id_, DeliveryQuery(**query.slice_))

    return Operations(
        list=lambda who, query: subscriptions.list(who, SubscriptionQuery(**query.slice_)),
        get=subscriptions.get,
        create=create,
        update=lambda who, id_, given, version: subscriptions.update(
            who, id_, SubscriptionFields(**given), version=version
        ),
        delete=lambda who, id_, version: subscriptions.delete(who, id_, version=version),
        actions={
            "pings": lambda who, id_, version, options: subscriptions.ping(
                who, id_, version=version, options=options
            )
        },
        lists={"deliveries": list_below},
        units=_units(subscriptions),
        rotate=rotate,
    )


def _units(subscriptions: Subscriptions) -> Units:
    return Units(
        creating=lambda who, given: subscriptions.creating(who, SubscriptionFields(**given)),
        updating=lambda who, id_, given: subscriptions.updating(
            who, id_, SubscriptionFields(**given)
        ),
        deleting=subscriptions.deleting,
    )


def _delivery_operations(use_cases: UseCases) -> Operations[Delivery]:
    deliveries = use_cases.deliveries
    return Operations(
        get=lambda who, id_: deliveries.get(who, None, id_),
        actions={
            "replays": lambda who, id_, _, options: deliveries.replay(
                who, None, id_, options=options
            )
        },
    )
