"""Connecting to NATS: for ever, quietly, as one role."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import nats
import structlog
from nats.aio.client import Client

from shared.bus.errors import BusClosed
from shared.bus.servers import Servers
from shared.bus.socket import Socket

if TYPE_CHECKING:
    from datetime import timedelta

    from shared.bus.roles import Role
    from shared.bus.servers import TlsFiles

_RECONNECT_SECONDS: Final = 0.5
_PING_SECONDS: Final = 10
_CLOSE_SECONDS: Final = 2
_MAX_TOLD: Final = 100

log = structlog.get_logger(__name__)


class Link:
    """What is known of a connection, and its log.

    One line for each loss and each kind of trouble, not one for each try at each server.
    """

    def __init__(self) -> None:
        """Start before the first connection."""
        self.up = asyncio.Event()
        self.closed = asyncio.Event()
        self.closing = False
        self._last_error = ""
        self._told: set[str] = set()

    async def is_up_within(self, wait: timedelta) -> bool:
        """Whether the broker is there, waiting so long for it; raises BusClosed."""
        if self.closed.is_set():
            raise BusClosed
        with suppress(TimeoutError):
            async with asyncio.timeout(wait.total_seconds()):
                await self.up.wait()
        return self.up.is_set()

    async def on_error(self, error: Exception) -> None:
        """Tell of an error once, until there is a connection again."""
        self._last_error = text = f"{type(error).__name__}: {error}"
        if text not in self._told and len(self._told) < _MAX_TOLD:
            log.warning("bus_error", error=text, connected=self.up.is_set())
            self._told.add(text)

    async def on_disconnected(self) -> None:
        """Tell of a loss."""
        if self.up.is_set() and not self.closing:
            log.warning("bus_disconnected")
        self.up.clear()

    async def on_connected(self) -> None:
        """Tell that the broker is there (again)."""
        log.info("bus_connected")
        self._last_error = ""
        self._told.clear()
        self.up.set()

    async def on_closed(self) -> None:
        """Tell when the client library gives up."""
        if not self.closing:
            log.error("bus_closed", error=self._last_error)
        self.closed.set()


async def open_client(url: str, role: Role, link: Link, tls: TlsFiles) -> Client:
    """A connection as the role to one of the servers, waiting for one as long as it takes.

    User and password are those of the URL. Raises ValueError for an URL, OSError for files that
    are no good.
    """
    servers = Servers.parse(url)
    client = Client()
    client._transport = socket = Socket()  # noqa: SLF001 - nats-py has no other way to take one
    connecting = client.connect(
        list(servers.urls),
        user=servers.user,
        password=servers.password,
        tls=tls.context(),
        name=f"stagedoor-{role}",
        inbox_prefix=role.inbox,
        max_reconnect_attempts=-1,
        reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type] # it sleeps any time
        # The default would notice a hung server after six minutes only.
        ping_interval=_PING_SECONDS,
        max_outstanding_pings=2,
        drain_timeout=_CLOSE_SECONDS,
        error_cb=link.on_error,
        disconnected_cb=link.on_disconnected,
        reconnected_cb=link.on_connected,
        closed_cb=link.on_closed,
    )
    try:
        await connecting
    except BaseException:  # cancelled, above all: it would wait for ever
        socket.abort()
        raise
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
