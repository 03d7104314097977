"""Who the origin is must be proven before a byte of the request is sent."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

from shared.origin.guard import AddressGuard
from shared.origin.tls import tls_context
from tests.support import replies
from tests.support.origin import HOST_NAMES, running_origin, serving, shared_authority
from tests.support.transports import LOOPBACK, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DAY = timedelta(days=1)


def trusting() -> ssl.SSLContext:
    context = tls_context()
    shared_authority().configure_trust(context)
    return context


def leaf(*names: str, begins: timedelta = -DAY, ends: timedelta = DAY) -> ssl.SSLContext:
    now = datetime.now(UTC)
    authority = shared_authority()
    return serving(authority.issue_cert(*names, not_before=now + begins, not_after=now + ends))


def self_signed() -> ssl.SSLContext:
    """Return a server whose certificate is an authority that nobody knows."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as chain:
        context.load_cert_chain(chain, key)
    return context


def stranger() -> ssl.SSLContext:
    return serving(trustme.CA().issue_cert(*HOST_NAMES))


def old() -> ssl.SSLContext:
    context = leaf(*HOST_NAMES)
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


FAULTS: dict[str, Callable[[], ssl.SSLContext]] = {
    "self-signed": self_signed,
    "of an authority that nobody knows": stranger,
    "expired": lambda: leaf(*HOST_NAMES, begins=-2 * DAY, ends=-DAY),
    "not valid yet": lambda: leaf(*HOST_NAMES, begins=DAY, ends=2 * DAY),
    "of another host": lambda: leaf("other.example"),
    "of a name for an address": lambda: leaf("localhost"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_who_proves_nothing_is_told_nothing(fault: str) -> None:
    with running_origin(tls=FAULTS[fault]()) as origin:
        url = origin.serve("/a", replies.file(b"bytes"))
        assert Client(trusting()).failure(url) == "permanent tls_error"
        assert (origin.requests, origin.served) == ([], {})


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_the_old_server_would_serve_old_clients() -> None:
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with running_origin(tls=old()) as origin:
        url = origin.serve("/a", replies.file(b"bytes"))
        assert Client(context).get(url) == (200, b"bytes")


@pytest.mark.parametrize("host", ["127.0.0.1", "origin.test", "a.origin.test"])
def test_who_proves_to_be_the_host(host: str) -> None:
    guard = AddressGuard(LOOPBACK, resolve=lambda _: ["127.0.0.1"])
    with running_origin() as origin:
        origin.serve("/a", replies.file(b"bytes"))
        assert Client(trusting(), guard=guard).get(origin.url("/a", host)) == (200, b"bytes")


def test_the_certificate_is_for_the_name_not_for_the_address() -> None:
    guard = AddressGuard(LOOPBACK, resolve=lambda _: ["127.0.0.1"])
    with running_origin() as origin:
        client = Client(trusting(), guard=guard)
        assert client.failure(origin.url("/a", "other.example")) == "permanent tls_error"
        assert origin.requests == []


def test_an_authority_of_the_operator(tmp_path: Path) -> None:
    with running_origin() as origin:
        url = origin.serve("/a", replies.file(b"bytes"))
        trusted = tls_context(origin.write_ca(tmp_path / "ca.pem"))
        assert Client(trusted).get(url) == (200, b"bytes")
        assert Client(tls_context()).failure(url) == "permanent tls_error"


def test_what_is_spoken() -> None:
    context = tls_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.options & ssl.OP_NO_RENEGOTIATION


@contextmanager
def plain_server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Do something with one connection that is no TLS server's; give the port."""

    def serve() -> None:
        accepted, _ = listening.accept()
        with accepted:
            answer(accepted)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(10)


def speak_plainly(accepted: socket.socket) -> None:
    accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    accepted.recv(9999)


def reset(accepted: socket.socket) -> None:
    accepted.recv(9999)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(accepted: socket.socket) -> None:
    accepted.recv(9999)


def say_nothing(accepted: socket.socket) -> None:
    while accepted.recv(9999):
        pass


def speak_tls_1_1(accepted: socket.socket) -> None:
    # Unlike asyncio's servers it says why it refuses.
    with suppress(OSError), old().wrap_socket(accepted, server_side=True):
        pass


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (speak_tls_1_1, "permanent tls_error"),
        (speak_plainly, "permanent tls_error"),
        (reset, "transient origin_unreachable"),
        (hang_up, "transient origin_unreachable"),
        (say_nothing, "transient origin_unreachable"),
    ],
)
def test_handshakes_that_fail(answer: Callable[[socket.socket], None], expected: str) -> None:
    client = Client(trusting())
    client.limits = replace(client.limits, connect_seconds=0.5)
    with plain_server(answer) as port:
        assert client.failure(f"https://127.0.0.1:{port}/") == expected
