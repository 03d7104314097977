"""The proxy itself: it passes bytes untouched, and does what it is told the moment it is told."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.faults.proxy import Proxies, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.faults import Proxy

QUIET_SECONDS = 0.3


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """A link to a server that says everything back."""
    ended: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        ended.add(task)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with Proxies() as proxies:
            yield proxies.open("echo", lambda: Upstream(port))
        await asyncio.wait(ended, timeout=5) if ended else None


@asynccontextmanager
async def dialled(
    link: Proxy,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection through the link."""
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def heard(reader: asyncio.StreamReader, length: int) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readexactly(length)


async def silent(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes for a while, not even the end."""
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_bytes_pass_untouched_and_are_counted_to_the_last() -> None:
    data = os.urandom(3_000_000)
    async with echo() as link, dialled(link) as (reader, writer):
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(20):
            assert await reader.read(-1) == data
        assert (link.up.bytes, link.down.bytes, link.accepted) == (len(data), len(data), 1)


async def test_a_dropped_link_hangs_up_on_all_and_lets_nobody_in_until_it_is_healed() -> None:
    async with echo() as link:
        async with dialled(link) as (reader, writer):
            writer.write(b"one")
            assert await heard(reader, 3) == b"one"
            link.drop()
            with pytest.raises((asyncio.IncompleteReadError, OSError)):
                await heard(reader, 1)
        async with dialled(link) as (reader, _):
            with pytest.raises((asyncio.IncompleteReadError, OSError)):
                await heard(reader, 1)
        link.heal()
        async with dialled(link) as (reader, writer):
            writer.write(b"two")
            assert await heard(reader, 3) == b"two"


async def test_a_blackhole_says_nothing_and_a_connection_that_lost_bytes_ends_with_it() -> None:
    async with echo() as link, dialled(link) as (lost, writer), dialled(link) as (idle, other):
        for reader, each in ((lost, writer), (idle, other)):
            each.write(b"one")
            assert await heard(reader, 3) == b"one"
        link.blackhole()
        writer.write(b"two")
        assert await silent(lost)
        link.heal()
        with pytest.raises((asyncio.IncompleteReadError, OSError)):
            await heard(lost, 1)
        other.write(b"three")
        assert await heard(idle, 5) == b"three"


async def test_one_direction_alone_may_be_lost() -> None:
    async with echo() as link, dialled(link) as (reader, writer):
        link.blackhole(link.down)
        writer.write(b"one")
        assert await silent(reader)
        assert (link.up.bytes, link.down.bytes) == (3, 0)


async def test_what_is_stranded_is_silent_while_new_connections_are_well() -> None:
    async with echo() as link, dialled(link) as (old, writer):
        writer.write(b"one")
        assert await heard(old, 3) == b"one"
        link.strand()
        writer.write(b"two")
        assert await silent(old)
        async with dialled(link) as (reader, other):
            other.write(b"three")
            assert await heard(reader, 5) == b"three"
        link.heal()
        with pytest.raises((asyncio.IncompleteReadError, OSError)):
            await heard(old, 1)


async def test_a_slow_link_is_fast_again_at_once() -> None:
    data = bytes(1_000_000)
    async with echo() as link, dialled(link) as (reader, writer):
        link.slow(link.down, bytes_per_second=1)
        writer.write(data)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUIET_SECONDS):
                await reader.readexactly(3)
        link.heal()
        assert len(await heard(reader, 900_000)) == 900_000


async def test_a_delay_holds_each_piece_back() -> None:
    async with echo() as link, dialled(link) as (reader, writer):
        link.slow(link.up, delay=60.0)
        writer.write(b"one")
        assert await silent(reader)
        link.heal()
        assert await heard(reader, 3) == b"one"
