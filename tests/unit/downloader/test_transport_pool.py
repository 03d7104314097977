"""Connections that are kept: used again only where nothing can have gone wrong on them."""

from __future__ import annotations

from contextlib import ExitStack
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from services.downloader import http
from services.downloader.errors import FetchError
from services.downloader.pool import MAX_PER_ORIGIN, Pool
from tests.support import replies
from tests.support.origin import Gate, Origin, running_origin
from tests.support.transports import LOOPBACK, Client, SpyGuard, body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.downloader.http import HttpTransport
    from tests.support.origin import Exchange, Reply

FILE = replies.file(b"bytes")
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


class Fickle(SpyGuard):
    """A guard whose mind can be changed."""

    agrees = True

    def allows(self, address: str) -> bool:
        return self.agrees and super().allows(address)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin(keep_alive=True) as running:
        yield running


@pytest.fixture
def guard() -> Fickle:
    return Fickle(LOOPBACK, {"a.origin.test": ["127.0.0.1"], "b.origin.test": ["127.0.0.1"]})


@pytest.fixture
def client(origin: Origin, guard: Fickle) -> Client:
    return Client(origin.trusting(), guard=guard)


@pytest.fixture
def transport(client: Client) -> Iterator[HttpTransport]:
    with client.opened() as opened:
        yield opened


def read(transport: HttpTransport, client: Client, url: str) -> bytes:
    with transport.get(url, {}, client.stop) as response:
        return body(response)


def test_one_connection_and_one_lookup(
    origin: Origin, client: Client, guard: Fickle, transport: HttpTransport
) -> None:
    origin.serve("/a", FILE)
    for _ in range(3):
        assert read(transport, client, origin.url("/a", "a.origin.test")) == b"bytes"
    assert (origin.connections, len(origin.requests), guard.asked) == (1, 3, ["a.origin.test"])
    # Another name is another origin, whatever its address.
    assert read(transport, client, origin.url("/a", "b.origin.test")) == b"bytes"
    assert origin.connections == 2


def test_a_short_body_may_stay_unread(
    origin: Origin, client: Client, transport: HttpTransport
) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 5\r\n\r\nmoved"

    async def reply(exchange: Exchange) -> None:
        exchange.length = exchange.sent = 5
        await exchange.raw(moved)

    url = origin.serve("/a", reply, FILE)
    with transport.get(url, {}, client.stop) as response:
        assert response.status == 302
    assert read(transport, client, url) == b"bytes"
    assert origin.connections == 1


def more(extra: bytes) -> Reply:
    async def reply(exchange: Exchange) -> None:
        await exchange.head(200, Content_Length=5)
        await exchange.body(b"bytes")
        await exchange.raw(extra)

    return reply


def pieces(*parts: bytes) -> Reply:
    """Send each in a TLS record of its own, on a connection that stays."""

    async def reply(exchange: Exchange) -> None:
        exchange.length = exchange.sent = 5
        for part in parts:
            await exchange.raw(part)

    return reply


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
UNUSABLE = {
    "more in one piece with the head": pieces(HEAD + b"bytes" + EVIL),
    "more in one piece with the body": pieces(HEAD, b"bytes" + EVIL),
    "bytes after the body": more(EVIL),
    "one byte after the body": more(b"\n"),
    "chunks": replies.raw(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbytes\r\n0\r\n\r\n"
    ),
    "a connection that closes": replies.file(b"bytes", Connection="Close"),
    "HTTP/1.0": replies.raw(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nbytes" + EVIL),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_is_not_used_again(
    origin: Origin, client: Client, transport: HttpTransport, case: str
) -> None:
    url = origin.serve("/a", UNUSABLE[case], FILE)
    assert read(transport, client, url) == b"bytes"
    sleep(0.05)  # what comes after the body may come a little later
    assert read(transport, client, url) == b"bytes"
    assert origin.connections == 2


def test_a_body_that_was_not_read(origin: Origin, client: Client, transport: HttpTransport) -> None:
    url = origin.serve("/a", replies.file(b"x" * 500_000), FILE)
    with transport.get(url, {}, client.stop) as response:
        assert response.read_into(memoryview(bytearray(1000)))
    assert read(transport, client, url) == b"bytes"
    assert origin.connections == 2


def test_a_body_whose_rest_is_late(
    origin: Origin, client: Client, transport: HttpTransport
) -> None:
    gate = Gate()
    url = origin.serve("/a", replies.file(b"late" + EVIL, gate=gate, gate_at=4), FILE)
    with transport.get(url, {}, client.stop) as response:
        assert response.read_into(memoryview(bytearray(9))) == 4
    assert read(transport, client, url) == b"bytes"
    assert origin.connections == 2
    gate.open()


def test_the_guard_is_asked_again(
    origin: Origin, client: Client, guard: Fickle, transport: HttpTransport
) -> None:
    url = origin.serve("/a", FILE)
    assert read(transport, client, url) == b"bytes"
    guard.agrees = False
    with pytest.raises(FetchError) as caught:
        read(transport, client, url)
    assert caught.value.code == "address_refused"
    assert (origin.connections, len(origin.requests)) == (1, 1)


def test_a_connection_that_was_closed_meanwhile(
    origin: Origin, client: Client, transport: HttpTransport
) -> None:
    url = origin.serve("/a", FILE, replies.hang_up(), FILE)
    assert read(transport, client, url) == b"bytes"
    assert read(transport, client, url) == b"bytes"
    assert (origin.connections, len(origin.requests)) == (2, 3)


def test_a_new_connection_is_not_tried_twice(
    origin: Origin, client: Client, transport: HttpTransport
) -> None:
    with pytest.raises(FetchError):
        read(transport, client, origin.serve("/a", replies.hang_up()))
    assert (origin.connections, len(origin.requests)) == (1, 1)


def test_a_broken_answer_is_not_asked_for_twice(
    origin: Origin, client: Client, transport: HttpTransport
) -> None:
    url = origin.serve("/a", FILE, replies.raw(b"HTTP/1.1 200"))
    assert read(transport, client, url) == b"bytes"
    with pytest.raises(FetchError):
        read(transport, client, url)
    assert (origin.connections, len(origin.requests)) == (1, 2)


def test_how_many_are_kept(origin: Origin, client: Client, transport: HttpTransport) -> None:
    url = origin.serve("/a", FILE)
    many = MAX_PER_ORIGIN + 3

    def at_once() -> None:
        with ExitStack() as stack:
            for _ in range(many):
                body(stack.enter_context(transport.get(url, {}, client.stop)))

    at_once()
    assert origin.connections == many
    at_once()
    assert origin.connections == 2 * many - MAX_PER_ORIGIN


def all_closed(origin: Origin) -> bool:
    until = monotonic() + 5
    while origin.open_connections and monotonic() < until:
        sleep(0.01)
    return origin.open_connections == 0


def test_how_long_they_are_kept(
    origin: Origin, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "Pool", lambda asked: Pool(asked, idle_seconds=0.1))
    with client.opened() as transport:
        url = origin.serve("/a", FILE)
        assert read(transport, client, url) == b"bytes"
        # Nobody asks again, and still it is closed.
        assert all_closed(origin)
        assert read(transport, client, url) == b"bytes"
    assert origin.connections == 2


def test_the_end_closes_them(origin: Origin, client: Client) -> None:
    url = origin.serve("/a", FILE)
    with client.opened() as transport:
        assert read(transport, client, url) == b"bytes"
        assert origin.open_connections == 1
        late = ExitStack()
        assert body(late.enter_context(transport.get(url, {}, client.stop))) == b"bytes"
    late.close()
    assert all_closed(origin)
