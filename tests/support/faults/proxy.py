"""A TCP link that a test can cut, swallow, delay and slow down while it is used.

Each proxy listens on a free port of 127.0.0.1, in one thread with a loop of its own for all of
them, so that a test may block. ``up`` is the direction from who connects to who listens::

    link.drop()                      # hang up on everybody, now and whoever comes
    link.blackhole()                 # take everything, pass nothing on: the peer seems silent
    link.blackhole(link.down)        # one direction only: requests arrive, answers do not
    link.strand()                    # what is open now is silent for ever; new connections are well
    link.slow(bytes_per_second=1)    # or delay=0.5, seconds for each piece
    link.heal()                      # pass everything again
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_PIECE_BYTES = 64 * 1024
_PIECES_PER_SECOND = 10


class Mode(Enum):
    """What becomes of bytes."""

    PASS = auto()
    DROP = auto()  # the connection is closed
    BLACKHOLE = auto()  # read, and thrown away


@dataclass(slots=True, eq=False)
class Direction:
    """One way of a link. ``bytes`` counts what was passed on; a delay is in seconds for a piece."""

    mode: Mode = Mode.PASS
    delay: float = 0.0
    bytes_per_second: float | None = None
    bytes: int = 0

    @property
    def piece_bytes(self) -> int:
        """How much to take at once, so that a slow link is slow but even."""
        if self.bytes_per_second is None:
            return _PIECE_BYTES
        return max(1, min(_PIECE_BYTES, int(self.bytes_per_second / _PIECES_PER_SECOND)))

    def seconds(self, length: int) -> float:
        """How long a piece of this length takes."""
        return self.delay + (length / self.bytes_per_second if self.bytes_per_second else 0.0)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a link leads: a port of 127.0.0.1, or a Unix socket."""

    port: int = 0
    path: str = ""

    async def connect(self) -> Streams:
        """Open a connection; raises OSError."""
        if self.path:
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection("127.0.0.1", self.port)


class Proxy:
    """One link; ``accepted`` counts the connections ever made, ``open`` those that are.

    ``upstream`` is asked at each connection, so what it leads to may move.
    """

    def __init__(self, name: str, upstream: Callable[[], Upstream]) -> None:
        """Make a link that passes everything; see ``Proxies.open``."""
        self.name = name
        self.up, self.down = Direction(), Direction()
        self.accepted = 0
        self.port = 0
        self._upstream = upstream
        self._changed = asyncio.Event()
        self._stranded = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def heal(self) -> None:
        """Pass everything; a connection that lost bytes is cut, as no protocol could go on."""
        self._stranded = 0
        self._set(self.up, Mode.PASS)
        self._set(self.down, Mode.PASS)

    def drop(self) -> None:
        """Close every connection, and each new one at once, until ``heal``."""
        self._set(self.up, Mode.DROP)
        self._set(self.down, Mode.DROP)

    def cut(self) -> None:
        """Close every connection; new ones are welcome."""
        self._call(self._cut)

    def blackhole(self, *directions: Direction) -> None:
        """Swallow what comes, in both directions unless one is named, until ``heal``."""
        for direction in directions or (self.up, self.down):
            self._set(direction, Mode.BLACKHOLE)

    def strand(self) -> None:
        """Swallow what comes on the connections that there are, until ``heal``; not on new ones."""

        def change() -> None:
            self._stranded = self.accepted

        self._call(change)

    def slow(
        self,
        *directions: Direction,
        delay: float = 0.0,
        bytes_per_second: float | None = None,
    ) -> None:
        """Pass everything, but slowly: each connection gets so much. Ends with ``heal``."""
        for direction in directions or (self.up, self.down):
            self._set(direction, Mode.PASS, delay, bytes_per_second)

    async def listen(self) -> asyncio.Server:
        """Open the port; everything else of the link then happens in this loop."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def _set(
        self, way: Direction, mode: Mode, delay: float = 0.0, rate: float | None = None
    ) -> None:
        def change() -> None:
            way.mode, way.delay, way.bytes_per_second = mode, delay, rate
            self._changed.set()
            self._changed = asyncio.Event()
            if mode is Mode.DROP:
                self._cut()

        self._call(change)

    def _cut(self) -> None:
        for task in self._connections:
            task.cancel()

    def _call(self, change: Callable[[], None]) -> None:
        """Change something in the loop's thread, and return when it is so."""
        assert self._loop is not None
        done: Future[None] = Future()

        def call() -> None:
            change()
            done.set_result(None)

        self._loop.call_soon_threadsafe(call)
        done.result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.accepted += 1
        number = self.accepted
        self._connections.add(task)
        try:
            if Mode.DROP not in {self.up.mode, self.down.mode}:
                await self._connect(reader, writer, number)
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        async with _closing(self._upstream()) as (far_reader, far_writer):
            pumps = [
                asyncio.create_task(self._pump(reader, far_writer, self.up, number)),
                asyncio.create_task(self._pump(far_reader, writer, self.down, number)),
            ]
            try:
                await asyncio.gather(*pumps)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        way: Direction,
        number: int,
    ) -> None:
        """Carry one direction to its end. Raises ConnectionError when bytes were lost."""
        lost = False
        while piece := await self._read(reader, way, number, lost=lost):
            if self._swallows(way, number):
                lost = True
                continue
            await self._take_time(way.seconds(len(piece)))
            writer.write(piece)
            way.bytes += len(piece)
            await writer.drain()
        if not lost and writer.can_write_eof():
            writer.write_eof()
        while lost:  # half of it is gone: nobody hears of the end either
            await self._healed(way, number)

    def _swallows(self, way: Direction, number: int) -> bool:
        return way.mode is Mode.BLACKHOLE or number <= self._stranded

    async def _read(
        self, reader: asyncio.StreamReader, way: Direction, number: int, *, lost: bool
    ) -> bytes:
        if not lost:
            return await reader.read(way.piece_bytes)
        read = asyncio.create_task(reader.read(_PIECE_BYTES))
        healed = asyncio.create_task(self._healed(way, number))
        try:
            await asyncio.wait({read, healed}, return_when=asyncio.FIRST_COMPLETED)
            if healed.done():
                healed.result()
            return read.result()
        finally:
            read.cancel()
            healed.cancel()
            await asyncio.gather(read, healed, return_exceptions=True)

    async def _healed(self, way: Direction, number: int) -> None:
        while self._swallows(way, number):
            await self._changed.wait()
        raise ConnectionResetError("bytes were lost on this connection")

    async def _take_time(self, seconds: float) -> None:
        """Wait, unless the link is changed meanwhile."""
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._changed.wait()


class Proxies:
    """The links of a system, in one thread."""

    def __init__(self) -> None:
        """Open none yet."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies")
        self._servers: list[asyncio.Server] = []
        self.links: dict[str, Proxy] = {}

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def open(self, name: str, upstream: Callable[[], Upstream]) -> Proxy:
        """Open a link."""
        proxy = Proxy(name, upstream)
        listening = asyncio.run_coroutine_threadsafe(proxy.listen(), self._loop)
        self._servers.append(listening.result(10))
        self.links[name] = proxy
        return proxy

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        tasks = [task for link in self.links.values() for task in link._connections]  # noqa: SLF001 - its keeper
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _closing(upstream: Upstream) -> AsyncIterator[Streams]:
    streams = await upstream.connect()
    try:
        yield streams
    except BaseException:
        streams[1].transport.abort()
        raise
    finally:
        streams[1].close()
