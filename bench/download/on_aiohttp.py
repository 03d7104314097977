"""aiohttp behind the downloader's Transport, with its address guard, to compare.

It does what the interface asks for and no more than the benchmark needs: a body that breaks is
``truncated``, everything else that fails is ``origin_unreachable``.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.downloader.errors import Permanent, Transient
from shared.origin.guard import DialRefused
from shared.origin.stop import Stop

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Coroutine, Iterator, Mapping
    from types import TracebackType

    from shared.origin.guard import AddressGuard

_SECONDS = 30.0
_BATCH_BYTES = 1 << 20


class GuardedResolver(AbstractResolver):
    """Resolves names as the guard does."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        """Return all addresses of a name. Raises DialRefused if any is bad."""
        found = await asyncio.to_thread(self._guard.addresses, host, _SECONDS, Stop())
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        """Nothing is open."""


class AiohttpResponse:
    """Takes the body from the loop's thread by the megabyte, and has the next one fetched."""

    def __init__(self, transport: AiohttpTransport, response: aiohttp.ClientResponse) -> None:
        self.status, self.headers = response.status, response.headers
        self._transport = transport
        self._response = response
        self._rest = memoryview(b"")
        self._batch: list[bytes] = []
        self._next = transport.begin(self._gather())

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:  # noqa: ARG002 - see Response
        """See Response; what is here."""
        while not self._rest:
            if not self._batch:
                try:
                    self._batch = self._next.result(_SECONDS)
                except aiohttp.ClientError as error:
                    raise Transient("truncated", "The connection broke.") from error
                if not self._batch:
                    return 0
                self._next = self._transport.begin(self._gather())
            self._rest = memoryview(self._batch.pop(0))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """Give the connection back, or hang up if the body was not read."""
        self._next.cancel()
        self._transport.call(self._release())

    async def _gather(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while size < _BATCH_BYTES and (block := await self._response.content.readany()):
            batch.append(block)
            size += len(block)
        return batch

    async def _release(self) -> None:
        self._response.close()


class AiohttpTransport:
    """aiohttp on a loop in a thread of its own; a context manager."""

    def __init__(self, guard: AddressGuard, tls: ssl.SSLContext, user_agent: str) -> None:
        self._guard = guard
        self._tls = tls
        self._user_agent = user_agent
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        """Start the loop."""
        self._thread.start()
        self._session: aiohttp.ClientSession = self.call(self._open())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.call(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def begin(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the loop do something; gives its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the loop do something and wait for it."""
        return self.begin(work).result(_SECONDS)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Iterator[AiohttpResponse]:
        """See Transport."""
        stop.check()
        try:
            response = AiohttpResponse(self, self.call(self._get(url, headers)))
        except DialRefused as refusal:
            raise Permanent(refusal.code, refusal.detail) from refusal
        except (aiohttp.ClientError, OSError) as error:
            raise Transient("origin_unreachable", "The origin could not be reached.") from error
        try:
            yield response
        finally:
            response.close()

    async def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            ssl=self._tls, resolver=GuardedResolver(self._guard), socket_factory=self._socket
        )
        return aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=_SECONDS, sock_read=_SECONDS),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
        )

    def _socket(self, info: Any) -> socket.socket:
        return self._guard.open_socket(info[0], str(info[4][0]), int(info[4][1]))

    async def _get(self, url: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        return await self._session.get(url, headers=headers, allow_redirects=False)
