"""The client library itself, for what ``Bus`` does not offer; it leaves nothing open."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from nats.aio.client import Client

from shared.bus.socket import Socket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def connected(servers: str, **options: Any) -> AsyncIterator[Client]:
    """A connection to one of some servers, by commas. Its troubles are told to nobody."""

    async def ignore(_: Exception) -> None: ...

    client = Client()
    # The library's own leaves the connection open when the server did not greet it in time.
    client._transport = socket = Socket()  # noqa: SLF001 - as in shared.bus.connection
    try:
        await client.connect(servers.split(","), error_cb=ignore, **options)
        yield client
    finally:
        await client.close()
        socket.abort()
