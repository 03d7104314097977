"""Origins that break HTTP: nothing hangs, nothing grows, and no lie passes for a whole file."""

from __future__ import annotations

import random
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from services.downloader.connection import MAX_FIELDS, MAX_HEAD_BYTES
from services.downloader.errors import Transient
from tests.support import replies
from tests.support.origin import Origin, running_origin
from tests.support.transports import Client, body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.origin import Exchange, Reply

BODY = random.Random(3).randbytes(300_000)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as running:
        yield running


@pytest.fixture
def client(origin: Origin) -> Client:
    return Client(origin.trusting())


def in_turn(*parts: Reply) -> Reply:
    async def reply(exchange: Exchange) -> None:
        for part in parts:
            await part(exchange)

    return reply


INVALID = {
    "a header of 1 MB": replies.raw(OK + b"X: " + b"a" * 1_000_000),
    "a complete header of 1 MB": replies.raw(OK + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n"),
    "200 headers": replies.raw(OK + b"X: y\r\n" * 200 + b"Content-Length: 0\r\n\r\n"),
    "headers without end": in_turn(replies.raw(OK), replies.raw(b"X: y\r\n" * 100, repeat=True)),
    "no HTTP": replies.raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "a status that is none": replies.raw(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "protocols switched unasked": replies.raw(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n"),
    "a NUL in a field": replies.raw(OK + b"X: a\x00b\r\n\r\n"),
    "a field without a name": replies.raw(OK + b": b\r\n\r\n"),
    "a space before the colon": replies.raw(OK + b"Content-Length : 5\r\n\r\nhello"),
    "two lengths": replies.raw(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "two lengths in one": replies.raw(OK + b"Content-Length: 1, 2\r\n\r\nab"),
    "a negative length": replies.raw(OK + b"Content-Length: -1\r\n\r\na"),
    "a signed length": replies.raw(OK + b"Content-Length: +1\r\n\r\na"),
    "a hexadecimal length": replies.raw(OK + b"Content-Length: 0x1\r\n\r\na"),
    "a length beyond 64 bits": replies.raw(OK + b"Content-Length: 18446744073709551616\r\n\r\n"),
    "a length of 100 digits": replies.raw(OK + b"Content-Length: " + b"9" * 100 + b"\r\n\r\n"),
    "an empty length": replies.raw(OK + b"Content-Length:\r\n\r\na"),
    "length and chunks": replies.raw(
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunks in HTTP/1.0": replies.raw(
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a chunk size that is none": replies.raw(CHUNKED + b"zz\r\nab\r\n0\r\n\r\n"),
    "a negative chunk size": replies.raw(CHUNKED + b"-1\r\nab\r\n0\r\n\r\n"),
    "a chunk longer than it says": replies.raw(CHUNKED + b"1\r\nab\r\n0\r\n\r\n"),
    "a chunk extension without end": in_turn(
        replies.raw(CHUNKED + b"1;"), replies.raw(b"a" * 1000, repeat=True)
    ),
    "trailers without end": in_turn(
        replies.raw(CHUNKED + b"0\r\n"), replies.raw(b"X: y\r\n" * 100, repeat=True)
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_is_not_http(origin: Origin, client: Client, case: str) -> None:
    assert client.failure(origin.serve("/a", INVALID[case])) == "permanent invalid_response"
    assert len(origin.requests) == 1


BROKEN = {
    "nothing at all": (replies.hang_up(), "origin_unreachable"),
    "a reset instead of a head": (replies.reset(b""), "origin_unreachable"),
    "half a head": (replies.raw(b"HTTP/1.1 200"), "origin_unreachable"),
    "a reset in the head": (replies.reset(OK), "origin_unreachable"),
    "interim answers only": (
        replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n", repeat=True),
        "stalled",
    ),
    "less than the length": (replies.answer(200, b"abc", Content_Length=9), "truncated"),
    "a cut in the length": (replies.file(BODY, cut_at=100_000), "truncated"),
    "a reset in the length": (
        replies.reset(OK + b"Content-Length: 900000\r\n\r\n", BODY),
        "truncated",
    ),
    "a cut between chunks": (replies.chunked(BODY, complete=False), "truncated"),
    "a cut in a chunk": (replies.raw(CHUNKED + b"9\r\nabc"), "truncated"),
    "a cut in a chunk's size": (replies.raw(CHUNKED + b"1\r\na\r\n1"), "truncated"),
    "a cut in the trailers": (replies.raw(CHUNKED + b"0\r\nX: y\r\n"), "truncated"),
    "a chunk of 64 bits": (replies.raw(CHUNKED + b"ffffffffffffffff\r\nabc"), "truncated"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks(origin: Origin, client: Client, case: str) -> None:
    reply, expected = BROKEN[case]
    assert client.failure(origin.serve("/a", reply)) == f"transient {expected}"


@pytest.mark.parametrize("coding", ["gzip", "gzip, chunked", "chunked, gzip", "identity"])
def test_transfer_codings(origin: Origin, client: Client, coding: str) -> None:
    url = origin.serve("/a", replies.answer(200, BODY, Transfer_Encoding=coding))
    assert client.failure(url) == "permanent unsupported_encoding"


def test_interim_answers_cost_no_time(origin: Origin, client: Client) -> None:
    client.limits = replace(client.limits, header_seconds=60)
    reply = replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n", repeat=True)
    assert client.failure(origin.serve("/a", reply)) == "transient stalled"


def test_some_interim_answers_are_none_of_our_business(origin: Origin, client: Client) -> None:
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10
    url = origin.serve("/a", in_turn(replies.raw(hints), replies.file(BODY)))
    assert client.get(url) == (200, BODY)


DRIPS = {
    "a head": replies.raw(OK + b"X: "),
    "the framing of chunks": replies.raw(CHUNKED + b"1;"),
    "trailers": replies.raw(CHUNKED + b"0\r\nX: "),
    "a head behind interim answers": replies.raw(b"HTTP/1.1 102 Wait\r\n\r\n" + OK + b"X: "),
}


@pytest.mark.parametrize("case", DRIPS)
def test_what_drips_has_no_more_time(origin: Origin, client: Client, case: str) -> None:
    client.limits = replace(client.limits, header_seconds=0.4, stall_seconds=0.4)
    drip = replies.raw(b"x", repeat=True, every_seconds=0.02)
    begun = monotonic()
    assert client.failure(origin.serve("/a", in_turn(DRIPS[case], drip))) == "transient stalled"
    assert monotonic() - begun < 2


@pytest.mark.parametrize("head", [OK + b"Content-Length: 9\r\n\r\nabc", CHUNKED, OK + b"\r\nabc"])
def test_a_body_that_stalls(origin: Origin, client: Client, head: bytes) -> None:
    client.limits = replace(client.limits, stall_seconds=0.2)
    silence = replies.raw(b"", repeat=True, every_seconds=0.1)
    url = origin.serve("/a", in_turn(replies.raw(head), silence))
    assert client.failure(url) == "transient stalled"


def test_the_bounds_of_a_head(origin: Origin, client: Client) -> None:
    fields = b"X: y\r\n" * (MAX_FIELDS - 1) + b"Content-Length: 2\r\n\r\nok"
    assert client.get(origin.serve("/a", replies.raw(OK + fields))) == (200, b"ok")
    long = b"X: " + b"a" * (MAX_HEAD_BYTES - 100) + b"\r\nContent-Length: 2\r\n\r\nok"
    assert client.get(origin.serve("/b", replies.raw(OK + long))) == (200, b"ok")


ENDS = {
    "a length in HTTP/1.0": replies.raw(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    "no length in HTTP/1.0": replies.raw(b"HTTP/1.0 200 OK\r\n\r\nhello"),
    "no length and a goodbye": replies.unsized(b"hello"),
    "no length and no goodbye": replies.unsized(b"hello", cut=True),
    "no length and a reset": replies.reset(OK + b"\r\n", b"hello"),
    "the same length twice": replies.raw(
        OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
    ),
    "more than the length": replies.raw(OK + b"Content-Length: 5\r\n\r\nhello" + b"more" * 9999),
    "chunks with trailers": replies.raw(CHUNKED + b"5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\nmore"),
    "an encoding that was not asked for": replies.answer(200, b"hello", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("case", ENDS)
def test_where_a_body_ends(origin: Origin, client: Client, case: str) -> None:
    """Where HTTP does not say, the end of the connection is the end: it proves nothing."""
    assert client.get(origin.serve("/a", ENDS[case])) == (200, b"hello")


def test_very_small_chunks(origin: Origin, client: Client) -> None:
    chunks = b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    url = origin.serve("/a", replies.raw(CHUNKED + chunks))
    with client.opened() as transport, transport.get(url, {}, client.stop) as response:
        assert body(response) == b"x" * 20_000
        # The end stays the end.
        assert response.read_into(memoryview(bytearray(9))) == 0


@pytest.mark.parametrize("buffer_bytes", [1, 7, 1000, 70_000])
@pytest.mark.parametrize("reply", [replies.file(BODY[:5000]), replies.chunked(BODY[:5000])])
def test_buffers_of_any_size(
    origin: Origin, client: Client, reply: Reply, buffer_bytes: int
) -> None:
    url = origin.serve("/a", reply)
    with client.opened() as transport, transport.get(url, {}, client.stop) as response:
        assert body(response, buffer_bytes) == BODY[:5000]
        assert response.read_into(memoryview(bytearray(9))) == 0


def test_what_came_before_a_cut_is_given(origin: Origin, client: Client) -> None:
    url = origin.serve("/a", replies.file(BODY, cut_at=100_000))
    read = bytearray()
    buffer = memoryview(bytearray(64 * 1024))
    with client.opened() as transport, transport.get(url, {}, client.stop) as response:
        while len(read) < 100_000:
            read += buffer[: response.read_into(buffer)]
        with pytest.raises(Transient):
            response.read_into(buffer)
        assert read == BODY[:100_000]
