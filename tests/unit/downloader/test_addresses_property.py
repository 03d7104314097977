"""Whatever spelling is accepted means the same origin to everyone who reads it."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from services.downloader.request import get_request, place_of
from shared.origin import OriginPolicy, OriginRefused
from shared.origin.addresses import parse_address

POLICY = OriginPolicy.from_settings("0.0.0.0/0,::/0", "1-65535")

_ODD = (
    "a1.-_~%2fF:@/\\?#[]()&=+;,'\"<>|{}^` \t\r\n\x00\x7f\u00e9\u3002\uff0f\u2460\u0130\u200b\ud800"
)
_HOSTS = st.one_of(
    st.from_regex(r"[a-zA-Z0-9_-]{1,8}(\.[a-zA-Z0-9-]{1,8}){0,3}\.?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded.upper()}]"),
    st.from_regex(r"(0x)?[0-9a-f]{1,10}(\.[0-9x]{1,4}){0,3}", fullmatch=True),
    st.text(_ODD, max_size=20),
    st.text(max_size=12),
)
_PORTS = st.one_of(st.just(""), st.integers(-1, 70_000).map(lambda port: f":{port}"))
_RESTS = st.one_of(st.just(""), st.text(_ODD, max_size=30).map(lambda rest: f"/{rest}"))
URLS = st.builds("https://{}{}{}".format, _HOSTS, _PORTS, _RESTS)


def accepted(url: str) -> str | None:
    try:
        return POLICY.canonical(url)
    except OriginRefused:
        return None


@given(URLS)
@example("https://\u2460\u2461\u2466.0.0.1/")
@example("https://a.example:443/?")
@example("https://[::ffff:127.0.0.1]:8443/[x]")
def test_every_reader_sees_the_same_origin(url: str) -> None:
    canonical = accepted(url)
    if canonical is None:
        return
    assert POLICY.canonical(canonical) == canonical
    assert canonical.isascii()
    assert canonical.isprintable()
    plain, cleaned = urlsplit(canonical), URL(canonical, encoded=True)
    place = place_of(canonical)
    assert plain.scheme == cleaned.scheme == "https"
    assert place.host == plain.hostname == cleaned.raw_host
    assert place.port == (plain.port or 443) == cleaned.port
    assert plain.username is plain.password is cleaned.user is cleaned.password is None
    assert not plain.fragment


@given(URLS)
def test_the_system_reads_literals_as_we_do(url: str) -> None:
    """No name is an address to the system's resolver, and no address another one."""
    canonical = accepted(url)
    if canonical is None:
        return
    host = place_of(canonical).host
    address = parse_address(host)
    try:
        found = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        assert address is None
    else:
        assert [answer[4][0] for answer in found] == [str(address)]


@given(URLS)
def test_the_request_says_what_the_url_says(url: str) -> None:
    canonical = accepted(url)
    if canonical is None:
        return
    request = get_request(canonical, {}, "Stagedoor/test")
    authority = dict(request.headers)[b"host"].decode()
    assert f"https://{authority}{request.target.decode()}" == canonical


@pytest.mark.parametrize(
    "url", ["https://a.example/", "https://8.8.8.8:8443/", "https://[2606::1]/"]
)
def test_the_strategy_is_not_all_refusals(url: str) -> None:
    assert accepted(url) == url
