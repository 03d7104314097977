"""How a file is given out: how much memory, how long, to how many, and how it is cut off."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import tracemalloc
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import structlog
import trustme
from aiohttp import ClientPayloadError, ClientSession, TCPConnector

from services.api.http import sending
from services.api.http.server import make_app, serve
from services.api.settings import ApiSettings
from tests.support.jsonapi import Client
from tests.support.links import BYTES, Shop, open_shop, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared.blobs.local import LocalStore

MIB = 1024 * 1024
LARGE = os.urandom(MIB) * 48
"""More than the sockets of a connection hold."""


@pytest.fixture
async def shop(sqlite_url: str, store: LocalStore) -> AsyncIterator[Shop]:
    """A server that gives out two files at once."""
    async with open_shop(sqlite_url, store, file_slots=2) as opened:
        yield opened


async def link(shop: Shop, data: bytes = LARGE) -> str:
    """A link to a record of these bytes."""
    return (await shop.link(await stored(shop.core, data=data))).url


@asynccontextmanager
async def reader_of(shop: Shop, url: str) -> AsyncIterator[asyncio.StreamReader]:
    """A connection on which the head of the answer was read, and nothing of the body yet."""
    base = shop.session._base_url  # noqa: SLF001 - the port of the test's own server
    assert base is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", base.port, limit=64 * 1024)
    target = url[url.index("/files") :]
    writer.write(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    try:
        yield reader
    finally:
        writer.close()


async def test_a_large_file_needs_little_memory(shop: Shop) -> None:
    url = urlsplit(await link(shop))
    digest = hashlib.md5()
    tracemalloc.start()
    async with shop.session.get(f"{url.path}?{url.query}") as answer:
        async for chunk in answer.content.iter_any():
            digest.update(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert digest.hexdigest() == hashlib.md5(LARGE).hexdigest()
    assert peak < 4 * MIB  # the client's buffers included


async def test_a_connection_goes_on_after_a_file(shop: Shop) -> None:
    url = await link(shop, BYTES)
    base = shop.session._base_url  # noqa: SLF001 - as above
    connector = TCPConnector(limit=1)
    async with ClientSession(base, connector=connector) as session:
        one = replace(shop, session=session)
        for range_, expected in (("", BYTES), ("bytes=1-9", BYTES[1:10]), ("bytes=-3", BYTES[-3:])):
            assert (await one.fetch(url, Range=range_)).body == expected
            assert [*connector._conns.values()], "kept"  # noqa: SLF001 - nobody else tells


async def test_downloads_leave_room_for_everybody_else(shop: Shop) -> None:
    url = await link(shop)
    token = await shop.core.use_cases.tokens.issue("default", "test", ["records:read"])
    async with reader_of(shop, url), reader_of(shop, url):
        busy = await shop.fetch(url)
        assert (busy.status, busy.code) == (503, "too_many_downloads")
        assert busy.headers["Retry-After"] == "5"
        head = await shop.fetch(url, "HEAD")
        assert head.status == 200
        assert (await shop.fetch(url, If_None_Match=head.headers["ETag"])).status == 304
        assert (await Client(shop.session, token).get("/records")).status == 200
    await _until_free(shop, url)


async def _until_free(shop: Shop, url: str) -> None:
    """Wait until a place is free: nobody tells when a server sees that a connection ends."""
    async with asyncio.timeout(10):
        while (await shop.fetch(url, Range="bytes=0-0")).status != 206:  # noqa: ASYNC110 - as said
            await asyncio.sleep(0.02)


async def test_who_takes_nothing_is_cut_off(
    sqlite_url: str, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "STALL_SECONDS", 0.3)
    async with open_shop(sqlite_url, store, file_slots=1) as shop:
        url = await link(shop)
        async with reader_of(shop, url) as reader:
            await _until_free(shop, url)
            assert len(await _rest(reader)) < len(LARGE)


async def test_who_leaves_in_the_middle_is_nobody_s_fault(
    sqlite_url: str, store: LocalStore
) -> None:
    async with open_shop(sqlite_url, store, file_slots=1) as shop:
        url = await link(shop)
        with structlog.testing.capture_logs() as logs:
            async with reader_of(shop, url) as reader:
                await reader.readexactly(MIB)
            await _until_free(shop, url)
        assert logs == []


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    try:
        while chunk := await reader.read(MIB):
            body += chunk
    except ConnectionResetError:
        pass
    return bytes(body)


async def test_who_goes_away_at_once_is_nobody_s_fault(shop: Shop) -> None:
    url = await link(shop)
    base = shop.session._base_url  # noqa: SLF001 - as above
    assert base is not None
    with structlog.testing.capture_logs() as logs:
        for turn in range(30):
            _, writer = await asyncio.open_connection("127.0.0.1", base.port)
            writer.write(f"GET {url[url.index('/files') :]} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            await asyncio.sleep(turn / 2000)
            writer.transport.abort()
        async with reader_of(shop, url), reader_of(shop, url):
            pass
    assert logs == []


@pytest.mark.parametrize("kept", [0, 5, MIB + 1])
async def test_a_file_that_is_too_short_is_never_taken_for_whole(
    shop: Shop, store: LocalStore, tmp_path: Path, kept: int
) -> None:
    url = await link(shop, LARGE[: 3 * MIB])
    [key] = [blob.key async for blob in store.keys("default")]
    os.truncate(tmp_path / "blobs" / key, kept)
    async with asyncio.timeout(5):  # at once, not when the connection has been idle for long
        with pytest.raises(ClientPayloadError):
            await shop.fetch(url)
    assert (await shop.fetch(url, "HEAD")).status == 200, "the server goes on"


async def test_over_tls(shop: Shop) -> None:
    url, authority = await link(shop), trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    client = ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    use_cases = shop.core.use_cases
    links = replace(use_cases.links, clock=lambda: shop.now)
    known = replace(use_cases, links=links)
    app = make_app(known, public_url=None, ready=use_cases.ready, file_slots=1)
    runner, port = await serve(app, "localhost", 0, tls=server)
    try:
        connector = TCPConnector(ssl=client)
        async with ClientSession(f"https://localhost:{port}", connector=connector) as session:
            there = replace(shop, session=session)
            assert (await there.fetch(url)).body == LARGE
            part = await there.fetch(url, Range=f"bytes=7-{2 * MIB}")
            assert part.body == LARGE[7 : 2 * MIB + 1]
            with structlog.testing.capture_logs() as logs:
                reader, writer = await asyncio.open_connection("localhost", port, ssl=client)
                writer.write(f"GET {url} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                writer.transport.abort()
                await _until_free(there, url)
            assert logs == []
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("connections", "wanted", "given"), [(512, 64, 64), (512, 400, 256), (3, 64, 1), (1, 64, 1)]
)
def test_files_never_take_all_connections(connections: int, wanted: int, given: int) -> None:
    assert ApiSettings(max_connections=connections, file_slots=wanted).slots() == given
