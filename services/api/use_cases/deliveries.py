"""Deliveries as clients see them: list, look, send again; and one event to one mere target."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.api.db import audit_rows, delivery_rows, subscription_rows
from services.api.domain.queries import CREATED_AT, DeliveryQuery
from services.api.use_cases.found import found
from services.api.use_cases.once import run_one_once
from services.api.use_cases.options import AT_ONCE, Options
from services.api.use_cases.subscriptions import READ, WRITE, require_enabled

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.subscriptions import Delivery, Event

NEWEST_FIRST = ((CREATED_AT, True),)


def deliver_once(transaction: Transaction, tenant: str, target: str, event: Event) -> None:
    """Send an event to a target that has no subscription, unsigned, in this very transaction.

    The target is one that ``Targets.require`` gave; of the same event it is told once.
    """
    delivery_rows.add(transaction, tenant, event, [(None, target)])


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What clients can do with the deliveries of their subscriptions."""

    executor: Executor

    async def get(self, who: Principal, subscription_id: UUID | None, id_: UUID) -> Delivery:
        """One delivery of a subscription, of any for None. Raises NotFound."""
        who.require(READ)
        delivery = await self.executor.read(
            lambda c: delivery_rows.find(c, who.tenant, subscription_id, id_)
        )
        return found(delivery, _collection(subscription_id), id_)

    async def list(
        self, who: Principal, subscription_id: UUID, asked: DeliveryQuery
    ) -> Page[Delivery]:
        """A page of a subscription's deliveries, newest first unless ordered otherwise.

        Raises NotFound for the subscription.
        """
        who.require(READ)
        ordered = asked if asked.order else replace(asked, order=NEWEST_FIRST)

        def query(connection: Connection) -> Page[Delivery]:
            subscription = subscription_rows.find(connection, who.tenant, subscription_id)
            found(subscription, subscription_rows.COLLECTION, subscription_id)
            return delivery_rows.fetch_page(connection, who.tenant, subscription_id, ordered)

        return await self.executor.read(query)

    async def replay(
        self,
        who: Principal,
        subscription_id: UUID | None,
        id_: UUID,
        *,
        options: Options = AT_ONCE,
    ) -> Delivery:
        """Send it again now, with the same webhook-id and all attempts; ids as for ``get``.

        Raises NotFound, StateConflict while the subscription is disabled, KeyReused.
        """
        who.require(WRITE)
        collection = _collection(subscription_id)

        def find(transaction: Transaction, *, lock: bool) -> Delivery:
            delivery = delivery_rows.find(
                transaction.connection, who.tenant, subscription_id, id_, lock=lock
            )
            return found(delivery, collection, id_)

        def unit(transaction: Transaction) -> Delivery:
            owner = find(transaction, lock=False).subscription_id
            assert owner is not None, "nobody asks for another"  # noqa: S101 - tells the type checker
            subscription = subscription_rows.lock(transaction, who.tenant, owner)
            there = require_enabled(found(subscription, subscription_rows.COLLECTION, owner))
            find(transaction, lock=True)
            delivery_rows.again(transaction, id_, there.target, transaction.now())
            name = f"{_collection(owner)}/{id_}"
            audit_rows.write(transaction, who, "deliveries.replay", name)
            return find(transaction, lock=False)

        asked = ("deliveries", "replay", subscription_id, id_)
        return await run_one_once(self.executor, who, options, asked, unit)


def _collection(subscription_id: UUID | None) -> str:
    """Where a delivery is named."""
    if subscription_id is None:
        return delivery_rows.COLLECTION
    return f"{subscription_rows.COLLECTION}/{subscription_id}/{delivery_rows.COLLECTION}"
