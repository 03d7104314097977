"""The socket below the client library: it says nothing in clear to who should use TLS, and it ends.

The library believes the server on whether there is TLS at all, waits for a dead server to say
good-bye (for ever, when bytes for it are left), and leaves a connection open that was refused.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from nats.aio.transport import TcpTransport

from shared.bus.servers import TLS

if TYPE_CHECKING:
    from ssl import SSLContext
    from urllib.parse import ParseResult

GOODBYE_SECONDS: Final = 1.0


class NotEncrypted(ConnectionError):  # noqa: N818 - named as the state that it tells of
    """The server offers no TLS, though its URL asks for it: nothing was said to it."""


class Socket(TcpTransport):
    """A TCP connection, with TLS if the URL or the server asks for it."""

    def __init__(self) -> None:
        """Start without a connection."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._may_speak = False

    def __bool__(self) -> bool:
        """Tell the library, before there is a connection too, not to make one of its own."""
        return True

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Open the connection; when the URL asks for TLS, nothing may be sent before that."""
        self.abort()
        self._may_speak = uri.scheme != TLS
        await super().connect(uri, buffer_size, connect_timeout)

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        """Go on encrypted; raises SSLError for a server that is not to be believed."""
        await super().connect_tls(uri, ssl_context, buffer_size, connect_timeout)
        self._may_speak = True

    def write(self, payload: bytes) -> None:
        """Send; raises NotEncrypted."""
        self._check()
        super().write(payload)  # type: ignore[no-untyped-call]

    def writelines(self, payload: list[bytes]) -> None:
        """Send all; raises NotEncrypted."""
        self._check()
        super().writelines(payload)  # type: ignore[no-untyped-call]

    async def wait_closed(self) -> None:
        """Wait for the end of the connection, but not for long."""
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await super().wait_closed()  # type: ignore[no-untyped-call]
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once, if there is one; what the library forgot as well."""
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()

    def _check(self) -> None:
        if not self._may_speak:
            raise NotEncrypted("the server offers no TLS")
