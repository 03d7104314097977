"""A scriptable HTTPS origin on 127.0.0.1 with a certificate authority of its own.

It speaks raw TLS so that it can misbehave. In a test with an event loop::

    async with Origin() as origin:
        url = origin.serve("/master.wav", replies.file(b"..."))

or in a thread of its own, for clients that are other processes::

    with running_origin() as origin: ...

Each connection carries one exchange, unless the origin is made with ``keep_alive=True``.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Self

import trustme

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    Reply = Callable[["Exchange"], Awaitable[None]]

HOST_NAMES = ("localhost", "127.0.0.1", "origin.test", "*.origin.test")


class Gate:
    """A place where a reply waits until a test lets it go on; for any thread and any loop."""

    def __init__(self) -> None:
        self._reached: Future[None] = Future()
        self._opened: Future[None] = Future()

    def open(self) -> None:
        """Let every reply pass, now and later."""
        if not self._opened.done():
            self._opened.set_result(None)

    async def reached(self) -> None:
        """Wait until a reply stands here."""
        await asyncio.shield(asyncio.wrap_future(self._reached))

    def wait_reached(self, seconds: float = 30.0) -> None:
        """Wait as ``reached`` does, for tests without a loop."""
        self._reached.result(seconds)

    async def pass_through(self) -> None:
        """Stand here until the gate is open."""
        if not self._reached.done():
            self._reached.set_result(None)
        await asyncio.shield(asyncio.wrap_future(self._opened))


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: header names in lower case, the head's bytes untouched."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes


@dataclass(slots=True)
class Exchange:
    """One request, one reply; ``sent`` counts the bytes of its body.

    With ``keep_alive`` the connection stays after a body of exactly its Content-Length.
    """

    request: Request
    writer: asyncio.StreamWriter
    keep_alive: bool = False
    sent: int = 0
    length: int | None = None

    @property
    def stays(self) -> bool:
        """Tell whether the connection waits for another request."""
        return self.keep_alive and self.sent == self.length and not self.writer.is_closing()

    async def head(self, status: int, **headers: str | int) -> None:
        """Send a status line and fields; underscores in their names become hyphens."""
        self.length = int(headers["Content_Length"]) if "Content_Length" in headers else None
        lines = [f"HTTP/1.1 {status} Whatever"]
        lines += [] if self.keep_alive else ["Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def raw(self, data: bytes) -> None:
        """Send bytes that are no body."""
        self.writer.write(data)
        await self.writer.drain()

    async def body(self, data: bytes) -> None:
        """Send bytes of the body."""
        self.writer.write(data)
        self.sent += len(data)
        await self.writer.drain()

    def cut(self) -> None:
        """Drop the connection without saying so: no TLS close_notify."""
        self.writer.transport.abort()


@cache
def shared_authority() -> trustme.CA:
    """Return the authority of this process; making one takes longer than most tests."""
    return trustme.CA()


@cache
def _certificate(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert(*HOST_NAMES)


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context with a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@dataclass
class Origin:
    """The server; ``served`` counts body bytes by path, ``connections`` everyone who dialled.

    ``tls`` is a context of its own, for servers that prove nothing or the wrong thing.
    """

    authority: trustme.CA = field(default_factory=shared_authority)
    requests: list[Request] = field(default_factory=list)
    served: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    keep_alive: bool = False
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        """Load the server's certificate."""
        self._tls = self.tls or serving(_certificate(self.authority))
        self._replies: dict[str, list[Reply]] = {}
        self._busy: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever replies are still under way."""
        self._server.close()
        for task in self._busy:
            task.cancel()
        if self._busy:
            await asyncio.wait(self._busy)
        await self._server.wait_closed()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of a path, under one of the names in the certificate."""
        return f"https://{host}:{self.port}{path}"

    def serve(self, path: str, *replies: Reply) -> str:
        """Answer requests of a path with one reply after another, the last for ever."""
        self._replies[path] = list(replies)
        return self.url(path)

    def write_ca(self, path: Path) -> Path:
        """Write the authority's certificate (PEM) for a client that reads a file."""
        self.authority.cert_pem.write_to_path(str(path))
        return path

    def trusting(self) -> ssl.SSLContext:
        """Return a client's context that trusts this origin."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.authority.configure_trust(context)
        return context

    @property
    def open_connections(self) -> int:
        """How many connections have not ended."""
        return len(self._busy)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        self.connections += 1
        # A drain then means sent, so that a cut comes where the script says. Not 0: with that the
        # TLS transport of Python 3.11 never resumes.
        writer.transport.set_write_buffer_limits(high=1, low=0)
        try:
            while await self._answer(await _read_request(reader), writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._busy.discard(task)
            writer.close()
            with suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether another may follow."""
        self.requests.append(request)
        path = request.target.partition("?")[0]
        exchange = Exchange(request, writer, self.keep_alive)
        script = self._replies.get(path)
        if not script:
            await exchange.head(404, Content_Length=0)
            return exchange.stays
        reply = script.pop(0) if len(script) > 1 else script[0]
        try:
            await reply(exchange)
        finally:
            self.served[path] = self.served.get(path, 0) + exchange.sent
        return exchange.stays


async def _read_request(reader: asyncio.StreamReader) -> Request:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    fields = (line.partition(":") for line in lines)
    return Request(method, target, {name.lower(): value.strip() for name, _, value in fields}, raw)


@contextmanager
def running_origin(
    *, keep_alive: bool = False, tls: ssl.SSLContext | None = None
) -> Iterator[Origin]:
    """Run an origin in a thread with a loop of its own."""
    ready: Future[tuple[Origin, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        async with Origin(keep_alive=keep_alive, tls=tls) as origin:
            stop = asyncio.Event()
            ready.set_result((origin, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="origin")
    thread.start()
    origin, loop, stop = ready.result(30)
    try:
        yield origin
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
