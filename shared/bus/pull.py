"""Taking messages from a durable consumer, and answering for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from shared.bus.envelope import MESSAGE_ID, traceparent_of, type_of
from shared.bus.errors import BusError, NoAnswer
from shared.bus.translate import translated

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from shared.bus.connection import Link

log = structlog.get_logger(__name__)

NO_DELAY = timedelta(0)


class Delivery:
    """One delivery of a message.

    None of the answers can fail: a lost one only means that the message comes again.
    """

    def __init__(self, message: Msg) -> None:
        """Wrap a message that JetStream delivered."""
        self._message = message
        headers = message.headers or {}
        self.subject: str = message.subject
        self.payload: bytes = message.data
        self.id: str = headers.get(MESSAGE_ID, "")
        self.type: str = type_of(headers)
        self.traceparent: str = traceparent_of(headers)
        self.sequence: int = message.metadata.sequence.stream
        self.number: int = message.metadata.num_delivered

    async def ack(self) -> None:
        """Done: the message may go."""
        await self._answer(self._message.ack())

    async def nak(self, delay: timedelta = NO_DELAY) -> None:
        """Not now: deliver it again after the delay, to anyone."""
        await self._answer(self._message.nak(delay=delay.total_seconds()))

    async def in_progress(self) -> None:
        """Still at it: the time to answer starts anew."""
        await self._answer(self._message.in_progress())

    async def term(self) -> None:
        """Never again: nobody can make sense of it."""
        await self._answer(self._message.term())

    async def _answer(self, answer: Awaitable[None]) -> None:
        try:
            with translated():
                await answer
        except BusError as error:
            log.debug("bus_answer_lost", subject=self.subject, error=str(error))


class Puller:
    """Takes messages of one durable consumer; not for concurrent use."""

    def __init__(self, subscription: JetStreamContext.PullSubscription, link: Link) -> None:
        """Wrap a pull subscription (see ``Bus.pulling``)."""
        self._subscription = subscription
        self._link = link

    async def pull(self, limit: int, wait: timedelta) -> list[Delivery]:
        """Up to ``limit`` messages, as soon as there is one; none when the wait is over.

        Keep the wait short and let it end by itself: a request that is cancelled or lost with the
        server costs that time, and its message a redelivery. Raises TopologyMissing,
        BusUnavailable, BusClosed.
        """
        if not await self._link.is_up_within(wait):
            # A request made now would linger in the buffer and take a message for nobody.
            return []
        try:
            with translated():
                found = await self._subscription.fetch(limit, timeout=wait.total_seconds())
        except NoAnswer:
            return []
        return [Delivery(message) for message in found]
