"""Server-Sent Events: each an object as its document (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from aiohttp import web

from services.api.domain.errors import Refusal
from services.api.http.jsonapi.media import Speech

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

EVENT_STREAM = Speech(answers="text/event-stream")
HEARTBEAT_SECONDS = 15.0
"""How often a silent stream shows that it is alive; so late is a client's going away seen."""
LIFE_SECONDS = 600.0
"""When a stream ends for its client to come back, with a token that is still good."""

# So long a client that lost the stream waits before it asks again.
_START = b"retry: 1000\n\n"
_HEARTBEAT = b": alive\n\n"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``id`` is what the client sends as Last-Event-ID to go on after it."""

    id: str
    document: Mapping[str, object]
    name: str = ""

    def render(self) -> bytes:
        """The event on the wire."""
        name = f"event: {self.name}\n" if self.name else ""
        head = f"{name}id: {self.id}\ndata: ".encode()
        return head + msgspec.json.encode(self.document) + b"\n\n"


class Streams:
    """Serves streams until the server stops."""

    def __init__(self) -> None:
        """Start running."""
        self._stopping = asyncio.Event()

    async def stop(self, _: web.Application) -> None:
        """End every stream."""
        self._stopping.set()

    async def serve(
        self, request: web.Request, events: AsyncGenerator[Event, None]
    ) -> web.StreamResponse:
        """Send events as they come.

        A refusal before the first event is raised; after it the stream just ends, and the client
        that asks again is told.
        """
        coming = asyncio.ensure_future(anext(events))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({coming}, timeout=0)
            if coming.done() and (error := coming.exception()):
                raise error
            return await self._send(request, events, coming, stopped)
        finally:
            await _ended(stopped)
            await events.aclose()

    async def _send(
        self,
        request: web.Request,
        events: AsyncGenerator[Event, None],
        coming: asyncio.Future[Event],
        stopped: asyncio.Future[Any],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        end = asyncio.get_running_loop().time() + LIFE_SECONDS
        try:
            await response.prepare(request)
            await response.write(_START)
            while not stopped.done() and asyncio.get_running_loop().time() < end:
                either: set[asyncio.Future[Any]] = {coming, stopped}
                await asyncio.wait(
                    either,
                    timeout=HEARTBEAT_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if coming.done():
                    await response.write(coming.result().render())
                    coming = asyncio.ensure_future(anext(events))
                else:
                    await response.write(_HEARTBEAT)
        except (StopAsyncIteration, ConnectionError, Refusal):
            pass  # no more to tell, nobody to tell it to, or no right to hear it
        except Exception:  # noqa: BLE001 - the edge of a stream whose status is sent
            _log.exception("events_failed")
        finally:
            await _ended(coming)
        return response


_HEADERS = {
    "Content-Type": EVENT_STREAM.answers,
    "Cache-Control": "no-store",
    "Vary": "Accept",
    "X-Accel-Buffering": "no",  # or a proxy may keep events back
}


async def _ended(task: asyncio.Future[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})
