"""Answering plain requests, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from shared.bus.envelope import traceparent_of, type_of

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

_MAX_IN_WORK: Final = 256
_ANY_INBOX: Final = "_INBOX."
# As long as a worker waits for an answer before it asks again.
_ANSWER_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A plain message that somebody sent; it may want an answer."""

    subject: str
    payload: bytes
    type: str
    traceparent: str


Handler = Callable[[Request], Awaitable[bytes | None]]
"""Takes a request and gives the answer; None sends none."""


class Desk:
    """Runs a handler for each message, up to a bound; what is beyond waits in line."""

    def __init__(self, client: Client, handler: Handler) -> None:
        """Answer by this client what this handler says."""
        self._client = client
        self._handler = handler
        self._free = asyncio.Semaphore(_MAX_IN_WORK)
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, message: Msg) -> None:
        """Start on a message, as soon as there is room."""
        await self._free.acquire()
        task = asyncio.create_task(self._serve(message))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Let what is in work be answered, for it may have been done already; then cancel it."""
        tasks = tuple(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_ANSWER_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()

    async def _serve(self, message: Msg) -> None:
        headers = message.headers
        request = Request(message.subject, message.data, type_of(headers), traceparent_of(headers))
        try:
            answer = await self._handler(request)
            # To any other subject it would not be an answer but a message in our name.
            if answer is not None and message.reply.startswith(_ANY_INBOX):
                await self._client.publish(message.reply, answer)
        except Exception:  # the edge: one bad message must not end the service for all
            log.exception("bus_request_failed", subject=message.subject)
