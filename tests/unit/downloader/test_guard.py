"""No connection is begun to an address that the policy refuses, whichever way it comes."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from services.downloader.guard import AddressGuard, GuardedConnector, is_own_address, system_resolve
from shared.origin import OriginPolicy, OriginRefused
from shared.stage.job import Failed, Refused
from tests.support import replies

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

    from tests.support.downloads import Bench
    from tests.support.origin import Origin

PATH = "/a"
STRICT = OriginPolicy(allow_ports=(range(1, 65536),))


def refusal(outcome: object) -> tuple[str, str]:
    assert isinstance(outcome, Refused), outcome
    return outcome.problems[0].code, outcome.problems[0].detail


@pytest.mark.parametrize(
    "answers",
    [
        ["10.1.2.3"],
        ["fd00::1"],
        ["169.254.169.254"],
        ["8.8.8.8", "10.1.2.3"],
        ["2606:4700::1111", "127.0.0.1"],
        ["::ffff:10.1.2.3"],
        ["64:ff9b::a01:203"],
        ["fe80::1%eth0"],
        ["ff0e::1"],
        ["not an address"],
    ],
)
async def test_a_name_with_any_bad_address(bench: Bench, answers: list[str]) -> None:
    bench.policy = STRICT
    bench.names["media.origin.test"] = [answers]
    code, detail = refusal(await bench.run("https://media.origin.test/a"))
    assert code == "address_refused"
    assert not any(answer in detail for answer in answers)
    assert bench.dialled == []


async def test_rebinding_between_connections(bench: Bench, origin: Origin) -> None:
    origin.serve(PATH, replies.file(b"x" * 500_000, cut_at=200_000))
    bench.names["media.origin.test"] = [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"]]
    code, _ = refusal(await bench.run(origin.url(PATH, "media.origin.test")))
    assert code == "address_refused"
    assert (bench.asked, bench.dialled) == (["media.origin.test"] * 3, ["127.0.0.1"] * 2)
    assert origin.connections == 2


async def test_rebinding_on_a_redirect(bench: Bench, origin: Origin) -> None:
    origin.serve(PATH, replies.redirect("/b"))
    origin.serve("/b", replies.file(b"bytes"))
    bench.names["media.origin.test"] = [["127.0.0.1"], ["192.168.0.1", "127.0.0.1"]]
    assert refusal(await bench.run(origin.url(PATH, "media.origin.test")))[0] == "address_refused"
    assert bench.dialled == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f000001", "0x7f.1", "localhost", "[::1]"])
async def test_every_line_below_the_spelling(bench: Bench, origin: Origin, host: str) -> None:
    bench.policy = STRICT
    bench.names = {"0x7f000001": [["127.0.0.1"]], "0x7f.1": [["127.0.0.1"]]}
    connector = GuardedConnector(bench.guard(), bench.tls)
    async with ClientSession(connector=connector) as session:
        with pytest.raises((OriginRefused, OSError)):
            await session.get(f"https://{host}:{origin.port}/")
    assert (bench.dialled, origin.connections) == ([], 0)


async def test_the_socket_is_the_second_line(origin: Origin, bench: Bench) -> None:
    guard = AddressGuard(STRICT)
    info: AddrInfoType = (
        socket.AF_INET,
        socket.SOCK_STREAM,
        socket.IPPROTO_TCP,
        "",
        ("127.0.0.1", origin.port),
    )
    with pytest.raises(OriginRefused) as caught:
        guard.open_socket(info)
    assert caught.value.code == "address_refused"
    closed = AddressGuard(OriginPolicy(bench.policy.allow_networks))
    with pytest.raises(OriginRefused):
        closed.open_socket(info)


async def test_localhost_that_is_not_let_through() -> None:
    with pytest.raises(OriginRefused):
        await AddressGuard(STRICT).addresses("localhost")


class Blind(AddressGuard):
    """A guard whose first two lines are gone."""

    async def addresses(self, host: str) -> list[str]:
        return await self._resolve(host)

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        return socket.socket(*info[:3])


async def test_the_peer_is_the_third_line(bench: Bench, origin: Origin) -> None:
    origin.serve(PATH, replies.file(b"bytes"))
    bench.names["media.origin.test"] = [["127.0.0.1"]]
    connector = GuardedConnector(Blind(STRICT, resolve=bench.resolve), bench.tls)
    async with ClientSession(connector=connector) as session:
        with pytest.raises(OriginRefused) as caught:
            await session.get(origin.url(PATH, "media.origin.test"))
    assert (caught.value.code, origin.requests) == ("address_refused", [])


async def test_own_public_addresses_are_refused(bench: Bench) -> None:
    bench.policy = STRICT
    guard = AddressGuard(STRICT, is_own=lambda address: address == "8.8.8.8")
    assert (guard.allows("8.8.8.8"), guard.allows("8.8.4.4")) == (False, True)
    assert guard.allows("::ffff:8.8.8.8") is False


def test_own_addresses() -> None:
    assert is_own_address("127.0.0.1")
    assert not is_own_address("8.8.8.8")
    assert not is_own_address("2606:4700::1111")


async def test_the_system_knows_localhost() -> None:
    assert "127.0.0.1" in await system_resolve("127.0.0.1")


async def test_an_allowed_address_that_nobody_answers_is_no_refusal(bench: Bench) -> None:
    bench.names["media.origin.test"] = [["127.0.0.1"]]
    outcome = await bench.run("https://media.origin.test:1/a")
    assert isinstance(outcome, Failed)
    assert outcome.problem.code == "origin_unreachable"
    assert "127" not in outcome.problem.detail
