"""What is sent, what comes back, and how it is stopped."""

from __future__ import annotations

import errno
import os
import resource
import socket
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import pytest

from services.downloader.errors import Permanent, Transient
from shared.origin.guard import AddressGuard
from shared.origin.stop import Stop, Stopped
from tests.support import replies
from tests.support.origin import Gate, Origin, running_origin
from tests.support.transports import LOOPBACK, QUICK, Client, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.origin import Exchange

PATIENT = replace(QUICK, connect_seconds=60, header_seconds=60, stall_seconds=60)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


@pytest.fixture
def client(origin: Origin) -> Client:
    return Client(origin.trusting(), PATIENT)


def test_the_request_as_it_goes_out(origin: Origin, client: Client) -> None:
    origin.serve("/a%0d%0aX:%20y", replies.file(b"bytes"))
    url = origin.url("/a%0d%0aX:%20y?s=a%2b+/=&f[x]=~")
    assert client.get(url, {"Range": "bytes=0-", "Authorization": "Bearer x"}) == (200, b"bytes")
    assert origin.requests[0].raw == (
        b"GET /a%0d%0aX:%20y?s=a%2b+/=&f[x]=~ HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{origin.port}\r\n".encode()
        + b"Accept-Encoding: identity\r\nUser-Agent: Stagedoor/test\r\nAccept: */*\r\n"
        b"Range: bytes=0-\r\nAuthorization: Bearer x\r\n\r\n"
    )


def test_without_a_descriptor_it_is_not_the_origin_that_is_blamed(
    origin: Origin, client: Client
) -> None:
    url = origin.serve("/a", replies.file(b"bytes"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            client.get(url)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert caught.value.errno == errno.EMFILE
    assert client.get(url) == (200, b"bytes")


@pytest.mark.parametrize(
    "fields",
    [
        {"X": "a\r\nY: b"},
        {"X": "a\nY: b"},
        {"X": "a\x00b"},
        {"X": "\u20ac"},
        {"X\r\nY": "b"},
        {"X Y": "b"},
        {"": "b"},
        {"Host": "other.example"},
        {"connection": "close"},
        {"Content-Length": "5"},
        {"Transfer-Encoding": "chunked"},
        {"Accept-Encoding": "gzip"},
        {"Expect": "100-continue"},
    ],
)
def test_fields_that_are_not_sent(origin: Origin, client: Client, fields: dict[str, str]) -> None:
    url = origin.serve("/a", replies.file(b"bytes"))
    with pytest.raises(Permanent) as caught:
        client.get(url, fields)
    assert (caught.value.code, origin.connections) == ("invalid_request", 0)
    assert caught.value.detail == "A header field for the origin cannot be sent."


def test_a_head_is_read_by_any_case(origin: Origin, client: Client) -> None:
    url = origin.serve(
        "/a", replies.raw(b"HTTP/1.1 200 OK\r\nX-One: a\r\nx-one: b\r\nContent-Length: 0\r\n\r\n")
    )
    with client.opened() as transport, transport.get(url, {}, client.stop) as response:
        assert (response.status, body(response)) == (200, b"")
        assert dict(response.headers) == {"x-one": "a", "content-length": "0"}
        assert response.headers["X-ONE"] == response.headers.get("x-One") == "a"
        assert "nothing" not in response.headers


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(origin: Origin, client: Client, status: int) -> None:
    url = origin.serve("/a", replies.answer(status, Content_Length=500))
    assert client.get(url) == (status, b"")


def test_nothing_is_left_open(origin: Origin, client: Client) -> None:
    before = descriptors()
    url = origin.serve("/a", replies.hang_up(), replies.chunked(b"a"), replies.answer(500))
    with pytest.raises(Transient):
        client.get(url)
    assert (client.get(url), client.get(url)) == ((200, b"a"), (500, b""))
    assert wait_for(lambda: descriptors() <= before)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def wait_for(condition: Callable[[], bool]) -> bool:
    """Give the origin's thread a moment to close its ends."""
    until = monotonic() + 5
    while not condition() and monotonic() < until:
        sleep(0.01)
    return condition()


@contextmanager
def crowded_port() -> Iterator[int]:
    """Listen, but so that the next connection is neither accepted nor refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port: int = listening.getsockname()[1]
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def stopped_after(client: Client, url: str, reached: Callable[[], object]) -> float:
    """Stop a request that stands where ``reached`` says; return the seconds until it ended."""
    ended: list[BaseException] = []

    def get() -> None:
        try:
            client.get(url)
        except Stopped as stopped:
            ended.append(stopped)

    thread = threading.Thread(target=get)
    thread.start()
    reached()
    begun = monotonic()
    client.stop.stop()
    thread.join(10)
    assert [type(error) for error in ended] == [Stopped]
    return monotonic() - begun


def test_stopped_in_the_lookup(client: Client) -> None:
    asked, answer = threading.Event(), threading.Event()

    def resolve(_: str) -> list[str]:
        asked.set()
        answer.wait(30)
        return []

    client.guard = AddressGuard(LOOPBACK, resolve=resolve)
    assert stopped_after(client, "https://slow.example/", asked.wait) < 1
    answer.set()


def test_stopped_while_connecting(client: Client) -> None:
    with crowded_port() as port:
        # It cannot be seen from here when the kernel sends the first packet.
        assert stopped_after(client, f"https://127.0.0.1:{port}/", lambda: sleep(0.2)) < 1


def test_stopped_in_the_handshake(client: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"

        def hello() -> bytes:
            accepted = stack.enter_context(listening.accept()[0])
            return accepted.recv(9999)

        assert stopped_after(client, url, hello) < 1


def test_stopped_before_the_head(origin: Origin, client: Client) -> None:
    gate = Gate()
    url = origin.serve("/a", replies.silent(gate))
    assert stopped_after(client, url, gate.wait_reached) < 1
    gate.open()


@pytest.mark.parametrize("framed", [True, False])
def test_stopped_in_the_body(origin: Origin, client: Client, framed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    gate = Gate()

    async def endless(exchange: Exchange) -> None:
        await exchange.head(200, **({"Content_Length": 9_000_000} if framed else {}))
        await exchange.body(b"x" * 100_000)
        await gate.pass_through()

    assert stopped_after(client, origin.serve("/a", endless), gate.wait_reached) < 1
    gate.open()


def test_nothing_begins_after_a_stop(origin: Origin, client: Client) -> None:
    url = origin.serve("/a", replies.file(b"bytes"))
    client.stop.stop()
    with pytest.raises(Stopped):
        client.get(url)
    assert origin.requests == []
    client.stop = Stop()
    assert client.get(url) == (200, b"bytes")


def test_time_to_connect(client: Client) -> None:
    client.limits = replace(QUICK, connect_seconds=0.2)
    begun = monotonic()
    with crowded_port() as port:
        assert client.failure(f"https://127.0.0.1:{port}/") == "transient origin_unreachable"

    def resolve(_: str) -> list[str]:
        sleep(0.5)
        return ["127.0.0.1"]

    client.guard = AddressGuard(LOOPBACK, resolve=resolve)
    assert client.failure("https://slow.example/") == "transient origin_unreachable"
    assert monotonic() - begun < 1
