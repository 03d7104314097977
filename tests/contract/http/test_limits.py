"""What one client may take: connections, seconds, bytes, requests."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from services.api.http.limits import LIMITER, MAX_BODY_BYTES, Limits
from services.api.http.server import make_app, serve
from services.api.limits import FAULTS, RateLimiter
from tests.support.jsonapi import MEDIA_TYPE, Client, serving
from tests.support.wire import exchange, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

    from tests.support.core import Core

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n"


@asynccontextmanager
async def _served(app: web.Application, limits: Limits) -> AsyncIterator[int]:
    runner, port = await serve(app, "127.0.0.1", 0, limits)
    try:
        yield port
    finally:
        await runner.cleanup()


# Connections


async def test_there_are_only_so_many_connections(app: web.Application) -> None:
    async with _served(app, Limits(max_connections=2)) as port:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for reader, writer in kept:
            writer.write(HEALTH + b"\r\n")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(5):  # at once, not when it has been idle for long
            refused = parse(await reader.read())
        writer.close()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.document["errors"][0]["status"] == "503"
        kept[0][1].close()
        await kept[0][1].wait_closed()
        await _until_served(port)
        kept[1][1].close()


async def test_those_that_come_at_once_find_room(app: web.Application) -> None:
    crowd = 300  # more than asyncio lets wait if it is not told
    async with _served(app, Limits(max_connections=crowd)) as port:
        with ExitStack() as stack:
            # Without a turn for the server, which accepts none of them.
            connections = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(crowd)]
            for each in connections:
                stack.enter_context(each)
            assert {each.getsockname()[1] for each in connections} <= _established(port)


def _established(port: int) -> set[int]:
    """Whose connections this port has, those that wait to be accepted among them (proc(5))."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    here, established = f":{port:04X}", "01"
    theirs = [row[2] for row in rows if row[1].endswith(here) and row[3] == established]
    return {int(address.rpartition(":")[2], 16) for address in theirs}


async def _until_served(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEALTH + b"Connection: close\r\n\r\n")
            answer = await _read(reader)
            writer.close()
            if b" 200 " in answer:
                return


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("begun", [b"", b"GET /hea", HEALTH, HEALTH + b"\r\n"])
async def test_a_connection_that_says_nothing_more_is_closed(
    app: web.Application, begun: bytes
) -> None:
    async with _served(app, Limits(keepalive=0.2)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()


async def test_a_body_that_nobody_waits_for(app: web.Application) -> None:
    async with _served(app, Limits(linger=0.2)) as port:
        reply = await exchange(port, HEALTH + b"Content-Length: 9\r\n\r\n")
        assert reply.status == 200


async def test_a_body_that_is_too_large(app: web.Application, token: str) -> None:
    title = "x" * MAX_BODY_BYTES
    async with serving(app) as session:
        client = Client(session, token)
        answer = await client.send("POST", "/tracks", {"data": {"title": title}})
    assert answer.status == 413
    assert answer.document["errors"][0]["title"]
    assert answer.headers["Content-Type"] == MEDIA_TYPE


# Requests


async def _ready() -> bool:
    return True


@asynccontextmanager
async def _limited(core: Core, limiter: RateLimiter) -> AsyncIterator[Client]:
    app = make_app(core.use_cases, public_url=None, ready=_ready, limiter=limiter)
    token = await core.use_cases.tokens.issue("default", "test", ["tracks:read"])
    async with serving(app) as session:
        yield Client(session, token)


async def test_a_token_is_told_what_it_may_ask_for(core: Core) -> None:
    now = [100.0]
    async with _limited(core, RateLimiter(60, 2, clock=lambda: now[0])) as client:
        for left, reset in ((1, 1), (0, 2)):
            answer = await client.get("/tracks")
            assert answer.status == 200
            assert answer.headers["RateLimit-Policy"] == '"default";q=2;w=60'
            assert answer.headers["RateLimit"] == f'"default";r={left};t={reset}'
            assert "Retry-After" not in answer.headers
        answer = await client.get("/tracks")
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert answer.headers["RateLimit"] == '"default";r=0;t=1'
        assert answer.headers["Content-Type"] == MEDIA_TYPE
        assert answer.document["errors"][0]["title"] == "Too Many Requests"
        now[0] += 1
        assert (await client.get("/tracks")).status == 200


async def test_every_token_has_a_bucket_of_its_own(core: Core) -> None:
    async with _limited(core, RateLimiter(1)) as client:
        assert (await client.get("/tracks")).status == 200
        assert (await client.get("/tracks")).status == 429
        another = await core.use_cases.tokens.issue("default", "b", ["tracks:read"])
        assert (await Client(client.session, another).get("/tracks")).status == 200
        stranger = await Client(client.session, None).get("/tracks")
        assert (stranger.status, "RateLimit" in stranger.headers) == (401, False)


async def test_a_broken_limiter_lets_everybody_in(core: Core) -> None:
    def broken() -> float:
        raise OSError

    before = _faults()
    async with _limited(core, RateLimiter(1, clock=broken)) as client:
        for _ in range(3):
            assert (await client.get("/tracks")).status == 200
    assert _faults() == before + 3


def _faults() -> float:
    (metric,) = FAULTS.collect()
    return next(each.value for each in metric.samples if each.name.endswith("_total"))


async def test_without_a_limiter_nothing_is_told(app: web.Application, token: str) -> None:
    assert LIMITER not in app
    async with serving(app) as session:
        answer = await Client(session, token).get("/tracks")
    assert "RateLimit" not in answer.headers
    assert msgspec.json.decode(answer.body)["data"] == []
