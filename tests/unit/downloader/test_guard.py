"""The guard's lines, each for itself: names, the socket factory, the peer."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from shared.origin import OriginPolicy
from shared.origin.guard import AddressGuard, DialRefused, is_own_address
from shared.origin.lookup import lookup, system_resolve
from shared.origin.stop import Stop
from tests.support.addresses import Canary
from tests.support.transports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

STRICT = OriginPolicy.from_settings("", "1-65535")
# Both in use, neither refused: an address that nobody answers is found by what comes after it.
WIDE = OriginPolicy.from_settings("127.0.0.0/8", "1-65535")


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as listening:
        yield listening


def guard(policy: OriginPolicy, *answers: str) -> AddressGuard:
    return AddressGuard(policy, resolve=lambda _: list(answers))


@pytest.mark.parametrize(
    "answers",
    [
        ["10.1.2.3"],
        ["fd00::1"],
        ["8.8.8.8", "10.1.2.3"],
        ["2606:4700::1111", "127.0.0.1"],
        ["::ffff:10.1.2.3"],
        ["64:ff9b::a01:203"],
        ["fe80::1%eth0"],
        ["ff0e::1"],
        ["not an address"],
        [""],
    ],
)
def test_a_name_with_any_bad_address(canary: Canary, answers: list[str]) -> None:
    with pytest.raises(DialRefused) as caught:
        guard(STRICT, *answers).dial("media.example", canary.port, 1, Stop())
    assert caught.value.code == "address_refused"
    assert not any(answer and answer in caught.value.detail for answer in answers)
    assert (canary.is_silent, canary.dials) == (True, [])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "localhost", "a.localhost", "0x7f000001", "127.1", "2130706433"]
)
def test_literals_and_odd_spellings(canary: Canary, host: str) -> None:
    with pytest.raises(DialRefused):
        AddressGuard(STRICT).dial(host, canary.port, 1, Stop())
    assert (canary.is_silent, canary.dials) == (True, [])


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "name"])
def test_the_socket_factory_is_a_line_of_its_own(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(DialRefused):
        AddressGuard(STRICT).open_socket(family, address, 443)


def test_the_socket_factory_knows_ports() -> None:
    closed = AddressGuard(OriginPolicy(LOOPBACK.allow_networks))
    with pytest.raises(DialRefused):
        closed.open_socket(socket.AF_INET, "127.0.0.1", 4222)
    with closed.open_socket(socket.AF_INET, "127.0.0.1", 443) as opened:
        assert opened.type == socket.SOCK_STREAM


class Blind(AddressGuard):
    """A guard whose first line is gone."""

    def addresses(self, host: str, seconds: float, stop: Stop) -> list[str]:
        return lookup(self._resolve, host, seconds, stop)


class Blinder(Blind):
    """A guard whose first two lines are gone."""

    def open_socket(self, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        del address, port
        return socket.socket(family, socket.SOCK_STREAM)


def test_each_line_holds_alone(canary: Canary) -> None:
    blind = Blind(STRICT, resolve=lambda _: ["127.0.0.1"])
    with pytest.raises(DialRefused):
        blind.dial("media.example", canary.port, 1, Stop())
    assert (canary.is_silent, canary.dials) == (True, [])
    blinder = Blinder(STRICT, resolve=lambda _: ["127.0.0.1"])
    with pytest.raises(DialRefused):
        blinder.dial("media.example", canary.port, 1, Stop())
    assert canary.dials == ["127.0.0.1"]


def test_what_is_judged_is_what_is_dialled(canary: Canary) -> None:
    asked = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return ["::ffff:127.0.0.1", "127.0.0.1"]

    with AddressGuard(LOOPBACK, resolve=resolve).dial("a.example", canary.port, 1, Stop()) as tcp:
        assert tcp.getpeername() == ("127.0.0.1", canary.port)
    assert (asked, canary.dials) == (["a.example"], ["127.0.0.1"])


def test_one_address_after_another(canary: Canary) -> None:
    found = guard(WIDE, "127.0.0.9", "127.0.0.1", "127.0.0.2")
    with found.dial("media.example", canary.port, 5, Stop()) as tcp:
        assert tcp.getpeername()[0] == "127.0.0.1"
    assert canary.dials == ["127.0.0.9", "127.0.0.1"]


def test_a_silent_address_leaves_time_for_the_next(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float | None] = []

    class Silent(socket.socket):
        def connect(self, address: object) -> None:
            shares.append(self.gettimeout())
            raise TimeoutError(address)

    monkeypatch.setattr(socket, "socket", Silent)
    with pytest.raises(TimeoutError):
        guard(WIDE, "127.0.0.1", "127.0.0.2", "127.0.0.3").dial("a.example", 1, 6, Stop())
    assert shares == pytest.approx([2, 3, 6], rel=0.1)
    assert canary.dials == []


def test_no_address_at_all() -> None:
    with pytest.raises(OSError, match="no address"):
        guard(STRICT).dial("media.example", 443, 1, Stop())
    with pytest.raises(DialRefused):
        AddressGuard(STRICT).addresses("localhost", 1, Stop())


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")])
def test_a_lookup_that_fails(error: Exception) -> None:
    def resolve(_: str) -> list[str]:
        raise error

    with pytest.raises(type(error)):
        AddressGuard(STRICT, resolve=resolve).addresses("media.example", 1, Stop())


def test_a_lookup_has_an_end() -> None:
    answer = threading.Event()

    def resolve(_: str) -> list[str]:
        answer.wait(30)
        return ["8.8.8.8"]

    with pytest.raises(TimeoutError):
        AddressGuard(STRICT, resolve=resolve).addresses("media.example", 0.05, Stop())
    answer.set()


def test_own_public_addresses_are_refused() -> None:
    found = AddressGuard(STRICT, is_own=lambda address: address == "8.8.8.8")
    assert (found.allows("8.8.8.8"), found.allows("8.8.4.4")) == (False, True)
    assert found.allows("::ffff:8.8.8.8") is False


def test_own_addresses() -> None:
    assert is_own_address("127.0.0.1")
    assert not is_own_address("8.8.8.8")
    assert not is_own_address("2606:4700::1111")


def test_a_peer_that_is_gone_is_not_allowed() -> None:
    with socket.socket() as unconnected:
        assert not AddressGuard(LOOPBACK).allows_peer(unconnected)


def test_the_system_resolves() -> None:
    assert system_resolve("127.0.0.1") == ["127.0.0.1"]
