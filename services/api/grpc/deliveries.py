"""The part of stagedoor.v1.SubscriptionService that is about deliveries."""
# ruff: noqa: N802, ARG002 - names and signatures are those of the contract

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.api.domain.queries import DeliveryQuery
from services.api.domain.subscriptions import DeliveryState
from services.api.grpc import messages
from services.api.grpc.caller import caller
from services.api.grpc.filters import parse_filter, states
from services.api.grpc.names import SUBSCRIPTIONS, require, require_delivery
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from stagedoor.v1 import subscription_service_pb2 as pb
from stagedoor.v1.subscription_service_pb2_grpc import SubscriptionServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from services.api.use_cases.deliveries import Deliveries

FILTERS: Final = ("state",)
ORDERS: Final = ("create_time",)


class DeliveryMethods(SubscriptionServiceServicer):
    """Deliveries over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, deliveries: Deliveries) -> None:
        """Serve these deliveries."""
        self._deliveries = deliveries

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListDeliveriesResponse:
        """Lists the deliveries of a subscription, newest first unless ordered otherwise."""
        who, parent = caller(), require(request.parent, SUBSCRIPTIONS, "parent")
        piece = cut(request, ORDERS, who.tenant, str(parent), request.filter)
        wanted = parse_filter(request.filter, FILTERS)
        query = DeliveryQuery(states=states(wanted.get("state"), DeliveryState), **piece.slice_)
        page = await self._deliveries.list(who, parent, query)
        return pb.ListDeliveriesResponse(
            deliveries=[messages.delivery(parent, delivery) for delivery in page.items],
            next_page_token=piece.next_token(page),
            total_size=total(page),
        )

    async def GetDelivery(
        self, request: pb.GetDeliveryRequest, context: ServicerContext[Any, Any]
    ) -> pb.Delivery:
        """Gets one delivery."""
        parent, id_ = require_delivery(request.name)
        return messages.delivery(parent, await self._deliveries.get(caller(), parent, id_))

    async def ReplayDelivery(
        self, request: pb.ReplayDeliveryRequest, context: ServicerContext[Any, Any]
    ) -> pb.Delivery:
        """Sends a delivery again now."""
        parent, id_ = require_delivery(request.name)
        delivery = await self._deliveries.replay(caller(), parent, id_, options=options(request))
        return messages.delivery(parent, delivery)
