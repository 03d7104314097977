"""Taking messages from a durable consumer, and answering for them."""

from __future__ import annotations

import json
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Final

import structlog
from nats import errors as nats_errors
from nats.js import api
from nats.js import errors as js_errors

from shared.bus.envelope import MESSAGE_ID, traceparent_of, type_of
from shared.bus.errors import BusError
from shared.bus.translate import translated

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

    from shared.bus.connection import Link

log = structlog.get_logger(__name__)

NO_DELAY = timedelta(0)
STATUS: Final = api.Header.STATUS
_OVER: Final = frozenset({api.StatusCode.NO_MESSAGES, api.StatusCode.REQUEST_TIMEOUT})
_DELETED: Final = "Consumer Deleted"
# What the word that a request is over may take beyond its end.
_TRAVEL_SECONDS: Final = 0.5


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
    """Takes messages of one durable consumer; not for concurrent use.

    nats-py's own way waits for a whole batch where some of it is there, and loses count of what it
    has asked for.
    """

    def __init__(
        self, client: Client, subscription: Subscription, consumer: tuple[str, str], link: Link
    ) -> None:
        """Take messages on a subscription (see ``Bus.pulling``) of a consumer of a stream."""
        self._client = client
        self._subscription = subscription
        self._subject = "$JS.API.CONSUMER.MSG.NEXT.{}.{}".format(*consumer)
        self._link = link
        # What the server may still send for the last request, and until when.
        self._left = 0
        self._until = 0.0

    async def pull(self, limit: int, wait: timedelta) -> list[Delivery]:
        """Up to ``limit`` messages, as soon as there is one; none when the wait is over.

        The limit is the same each time. Keep the wait short and let it end by itself: a request
        that is cancelled or lost with the server costs that time, and its message a redelivery.
        Raises TopologyMissing, BusUnavailable, BusClosed.
        """
        if not await self._link.is_up_within(wait):
            # A request made now would linger in the buffer and take a message for nobody.
            self._left = 0
            return []
        with translated():
            await self._ask(limit, wait)
            return await self._some()

    async def leave(self) -> None:
        """Give back what the server still sends for the last request, once that is over."""
        given: list[Delivery] = []
        try:
            while self._left > 0 and self._link.up.is_set():
                with translated():
                    given += await self._some()
        except BusError as error:
            log.debug("bus_leave_failed", error=str(error))
        # Only now: the request that still stood would get them again.
        for delivery in given:
            await delivery.nak()

    async def _ask(self, limit: int, wait: timedelta) -> None:
        now = monotonic()
        if self._left > 0 and now < self._until:
            return
        expires = int(wait.total_seconds() * 1e9)
        request = json.dumps({"batch": limit, "expires": expires}).encode()
        await self._client.publish(self._subject, request, self._subscription.subject)
        self._left, self._until = limit, now + wait.total_seconds()

    async def _some(self) -> list[Delivery]:
        """Wait for the first message, and take all that have come with it."""
        found: list[Delivery] = []
        rest = max(self._until - monotonic(), 0.0) + _TRAVEL_SECONDS
        try:
            message = await self._subscription.next_msg(rest)
        except nats_errors.TimeoutError:  # nor has the server said that it is over
            self._left = 0
            return found
        while True:
            if is_status(message):
                self._left = 0
                if not found:  # or whoever asks next hears of it
                    check_status(message)
            else:
                self._left -= 1
                found.append(Delivery(message))
            if not self._subscription.pending_msgs or not self._left > 0:
                return found
            message = await self._subscription.next_msg(_TRAVEL_SECONDS)


def is_status(message: Msg) -> bool:
    """Whether the server itself says something, in place of a message (NATS, JetStream)."""
    return not message.data and STATUS in (message.headers or {})


def check_status(message: Msg) -> None:
    """Raise nats-py's error for a status that is not merely the end of a request."""
    headers = message.headers or {}
    if headers[STATUS] in _OVER:
        return
    why = headers.get(api.Header.DESCRIPTION, "")
    # As if it had not been there when it was asked: whoever may makes it anew.
    if headers[STATUS] == api.StatusCode.SERVICE_UNAVAILABLE or why == _DELETED:
        raise js_errors.ServiceUnavailableError
    raise js_errors.APIError(code=int(headers[STATUS]), description=why)
