"""A core that may send to receivers on this machine, and a deliverer over it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from services.api import signals
from services.api.db.tables import deliveries, subscriptions
from services.api.deliverer import Deliverer
from services.api.domain.queries import DeliveryQuery
from services.api.use_cases.subscriptions import SubscriptionFields
from services.api.use_cases.targets import Targets
from shared.origin import OriginPolicy
from tests.support.core import a_principal, open_core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from services.api.domain.subscriptions import Delivery, Subscription
    from services.api.notify.senders import Sender
    from services.api.secrets import SecretKeys
    from services.api.signals import Subscription as Wait
    from services.api.use_cases.subscriptions import Created
    from tests.support.core import Core

WHO = a_principal()
LOCAL = OriginPolicy.from_settings("127.0.0.0/8,::1/128", "1-65535")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Notifying:
    """A core, a deliverer over it, and short cuts."""

    core: Core
    deliverer: Deliverer
    wait: Wait

    async def subscribe(self, target: str, *types: str) -> Created:
        """Somebody who wants to know."""
        fields = SubscriptionFields(target=target, event_types=list(types))
        return await self.core.use_cases.subscriptions.create(WHO, fields)

    async def ping(self, subscription: Subscription) -> Delivery:
        """A delivery that is due."""
        return await self.core.use_cases.subscriptions.ping(WHO, subscription.id)

    async def begin(self) -> None:
        """Begin what is due."""
        while await self.deliverer.round(self.wait):
            pass

    async def send(self) -> None:
        """Send what is due until nothing is, and write down what came of it."""
        await self.begin()
        while not self.deliverer.is_idle:
            assert await self.wait.wait(60)
            await self.begin()

    async def delivery(self, subscription: Subscription) -> Delivery:
        """The newest one."""
        page = await self.core.use_cases.deliveries.list(WHO, subscription.id, DeliveryQuery())
        return page.items[0]

    async def subscription(self, id_: UUID) -> Subscription:
        """As it is now."""
        return await self.core.use_cases.subscriptions.get(WHO, id_)

    async def make_due(self) -> None:
        """Let the waits of all that is pending be over."""
        pending = deliveries.c.due_at.is_not(None)
        await self.change(update(deliveries).where(pending).values(due_at=LONG_AGO))

    async def forget_takings(self) -> None:
        """As if a minute had passed since anything was taken."""
        await self.change(update(deliveries).values(taken_until=LONG_AGO))

    async def failing_for(self, length: timedelta) -> None:
        """As if all receivers that fail had failed for so long."""
        since = datetime.now(UTC) - length
        failing = subscriptions.c.failing_since.is_not(None)
        await self.change(update(subscriptions).where(failing).values(failing_since=since))

    async def change(self, statement: Any) -> None:
        """Change rows."""
        await self.core.use_cases.executor.write(lambda t: t.connection.execute(statement))

    async def rows(self) -> list[Any]:
        """All deliveries, oldest first."""
        query = select(deliveries).order_by(deliveries.c.id)
        return await self.core.use_cases.executor.read(lambda c: [*c.execute(query)])


@asynccontextmanager
async def notifying(
    url: str, sender: Sender, *, mail: bool = False, keys: SecretKeys | None = None
) -> AsyncIterator[Notifying]:
    """All of it over a database."""
    async with open_core(url, targets=Targets(LOCAL, mail=mail), keys=keys) as core:
        with core.signals.subscribe(signals.DELIVERIES) as wait:
            poll = timedelta(seconds=0.2)
            deliverer = Deliverer(core.use_cases.sending, sender, core.signals, poll)
            async with deliverer.hanging_up():
                yield Notifying(core, deliverer, wait)
