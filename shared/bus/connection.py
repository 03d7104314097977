"""Connecting to NATS: for ever, quietly, as one role."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import nats
import structlog

from shared.bus.errors import BusClosed

if TYPE_CHECKING:
    from datetime import timedelta

    from nats.aio.client import Client

    from shared.bus.roles import Role

_RECONNECT_SECONDS: Final = 0.5
_PING_SECONDS: Final = 10
_CLOSE_SECONDS: Final = 2

log = structlog.get_logger(__name__)


class Link:
    """What is known of a connection, and its log: one line for each loss, not one for each try."""

    def __init__(self) -> None:
        """Start before the first connection."""
        self.up = asyncio.Event()
        self.closed = asyncio.Event()
        self.closing = False
        self._last_error = ""

    async def is_up_within(self, wait: timedelta) -> bool:
        """Whether the broker is there, waiting so long for it; raises BusClosed."""
        if self.closed.is_set():
            raise BusClosed
        with suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                await self.up.wait()
        return self.up.is_set()

    async def on_error(self, error: Exception) -> None:
        """Tell of an error once, until something else happens."""
        text = f"{type(error).__name__}: {error}"
        if text != self._last_error:
            log.warning("bus_error", error=text, connected=self.up.is_set())
        self._last_error = text

    async def on_disconnected(self) -> None:
        """Tell of a loss."""
        if self.up.is_set() and not self.closing:
            log.warning("bus_disconnected")
        self.up.clear()

    async def on_connected(self) -> None:
        """Tell that the broker is there (again)."""
        log.info("bus_connected")
        self._last_error = ""
        self.up.set()

    async def on_closed(self) -> None:
        """Tell when the client library gives up."""
        if not self.closing:
            log.error("bus_closed", error=self._last_error)
        self.closed.set()


async def open_client(url: str, role: Role, link: Link) -> Client:
    """A connection as the role, waiting for the broker as long as it takes.

    User and password are those of the URL (percent-encoded there).
    """
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    client = await nats.connect(
        bare,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        name=f"stagedoor-{role}",
        inbox_prefix=role.inbox,
        max_reconnect_attempts=-1,
        reconnect_time_wait=_RECONNECT_SECONDS,
        # The default would notice a hung server after six minutes only.
        ping_interval=_PING_SECONDS,
        max_outstanding_pings=2,
        drain_timeout=_CLOSE_SECONDS,
        error_cb=link.on_error,
        disconnected_cb=link.on_disconnected,
        reconnected_cb=link.on_connected,
        closed_cb=link.on_closed,
    )
    await link.on_connected()
    return client


async def close_client(client: Client, link: Link) -> None:
    """Send what is buffered and close, in bounded time.

    Not by drain(), which waits for pull subscriptions that nobody reads any more.
    """
    link.closing = True
    if client.is_connected:
        try:
            await client.flush(_CLOSE_SECONDS)
        except nats.errors.Error as error:
            await link.on_error(error)
    else:
        # close() would write what is buffered to a dead socket and fail half-way.
        client._pending.clear()  # noqa: SLF001 - nats-py has no other way to drop it
        client._pending_data_size = 0  # noqa: SLF001
    await client.close()
