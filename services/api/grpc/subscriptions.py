"""stagedoor.v1.SubscriptionService: parse, one use case, render."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.empty_pb2 import Empty

from services.api.domain.changes import UNSET
from services.api.domain.queries import SubscriptionQuery
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.deliveries import DeliveryMethods
from services.api.grpc.etags import expected
from services.api.grpc.masks import masked, populated
from services.api.grpc.names import SUBSCRIPTIONS, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.subscriptions import SubscriptionFields
from stagedoor.v1 import subscription_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Collection

    from grpc.aio import ServicerContext

    from services.api.use_cases.deliveries import Deliveries
    from services.api.use_cases.subscriptions import Created, Subscriptions

WRITABLE: Final = ("target", "event_types", "description")
FIXED: Final = ("enabled",)
"""What ``*`` leaves alone unless it is sent: to clear a truth value means nothing."""
ORDERS: Final = ("create_time", "update_time")


class SubscriptionServicer(DeliveryMethods):
    """Subscriptions over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, subscriptions: Subscriptions, deliveries: Deliveries) -> None:
        """Serve these subscriptions and their deliveries."""
        super().__init__(deliveries)
        self._subscriptions = subscriptions

    async def ListSubscriptions(
        self, request: pb.ListSubscriptionsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListSubscriptionsResponse:
        """Lists the caller's subscriptions, newest last unless ordered otherwise."""
        who = caller()
        piece = cut(request, ORDERS, who.tenant, SUBSCRIPTIONS)
        page = await self._subscriptions.list(who, SubscriptionQuery(**piece.slice_))
        return pb.ListSubscriptionsResponse(
            subscriptions=[messages.subscription(each) for each in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetSubscription(
        self, request: pb.GetSubscriptionRequest, context: ServicerContext[Any, Any]
    ) -> pb.Subscription:
        """Gets one subscription."""
        id_ = require(request.name, SUBSCRIPTIONS)
        return messages.subscription(await self._subscriptions.get(caller(), id_))

    async def CreateSubscription(
        self, request: pb.CreateSubscriptionRequest, context: ServicerContext[Any, Any]
    ) -> pb.Subscription:
        """Creates a subscription and tells its secret."""
        paths = populated(request.subscription, (*WRITABLE, *FIXED))
        fields = _fields(request.subscription, paths)
        return _told(await self._subscriptions.create(caller(), fields, options=options(request)))

    async def UpdateSubscription(
        self, request: pb.UpdateSubscriptionRequest, context: ServicerContext[Any, Any]
    ) -> pb.Subscription:
        """Changes, disables or enables a subscription."""
        given = request.subscription
        id_ = require(given.name, SUBSCRIPTIONS)
        fields = _fields(given, masked(given, request.update_mask, WRITABLE, FIXED))
        subscription = await self._subscriptions.update(
            caller(), id_, fields, version=expected(given.etag), options=options(request)
        )
        return messages.subscription(subscription)

    async def DeleteSubscription(
        self, request: pb.DeleteSubscriptionRequest, context: ServicerContext[Any, Any]
    ) -> Empty:
        """Deletes a subscription and what is pending of it."""
        id_ = require(request.name, SUBSCRIPTIONS)
        await self._subscriptions.delete(caller(), id_, version=expected(request.etag))
        return Empty()

    async def RotateSubscriptionSecret(
        self, request: pb.RotateSubscriptionSecretRequest, context: ServicerContext[Any, Any]
    ) -> pb.Subscription:
        """Makes a new secret and tells it."""
        id_, overlap = require(request.name, SUBSCRIPTIONS), request.overlap
        seconds = overlap.seconds + overlap.nanos / 1e9 if request.HasField("overlap") else None
        rotated = await self._subscriptions.rotate_secret(
            caller(),
            id_,
            version=expected(request.etag),
            overlap=seconds,
            options=options(request),
        )
        return _told(rotated)

    async def PingSubscription(
        self, request: pb.PingSubscriptionRequest, context: ServicerContext[Any, Any]
    ) -> pb.Delivery:
        """Sends an event that says nothing."""
        id_ = require(request.name, SUBSCRIPTIONS)
        ping = await self._subscriptions.ping(caller(), id_, options=options(request))
        return messages.delivery(id_, ping)


def _told(created: Created) -> pb.Subscription:
    return messages.subscription(created.subscription, created.secret)


def _fields(given: pb.Subscription, paths: Collection[str]) -> SubscriptionFields:
    enabled = given.enabled if given.HasField("enabled") else None
    return SubscriptionFields(
        target=given.target if "target" in paths else UNSET,
        event_types=tuple(given.event_types) if "event_types" in paths else UNSET,
        description=given.description if "description" in paths else UNSET,
        enabled=enabled if "enabled" in paths else UNSET,
    )
