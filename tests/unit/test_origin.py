"""The policy of what is fetched, spelling by spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.origin import OriginPolicy, OriginRefused

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

PUBLIC = OriginPolicy()
LOOPBACK = OriginPolicy.from_settings("127.0.0.0/8", "443,8000-8999")

NOT_HTTPS = [
    "http://media.example/a",
    "ftp://media.example/a",
    "file:///etc/passwd",
    "gopher://media.example/",
    "data:audio/wav;base64,AA==",
    "//media.example/a",
]
MISSPELT = [
    "",
    "media.example/a",
    "https:media.example",
    "https:///a",
    "https://",
    "https://:443/a",
]
LOCALHOST = [
    "localhost",
    "localhost.localdomain",
    "a.localhost",
    "LOCALHOST",
    "ip6-localhost",
    "localhost6",
]
SPECIAL_V4 = [
    *("127.0.0.1", "127.255.1.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("100.64.0.1", "100.100.100.200", "169.254.169.254", "0.0.0.0", "0.1.2.3", "192.0.0.9"),  # noqa: S104 - judged, not bound
    *("198.18.0.1", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
]
ODD_V4 = [
    *("127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0", "127.0.0.1.", "0X7F.0.0.1"),
    *("127.0.0.01", "1.2.3.4.5", "256.1.1.1", "example.0x", "example.1"),
]
FOLDED = ["①②⑦.0.0.1", "127。0。0。1", "%31%32%37.0.0.1", "127.0.0.①", "ⓛocalhost", "0x7f00000①"]
SPECIAL_V6 = [
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0::1", "2001:0:4136:e378::1"),
    *("fc00::1", "fdff::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1"),
    *("2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1", "::ffff:169.254.169.254"),
]
ODD_V6 = ["fe80::1%25eth0", "fe80::1%eth0", "1.2.3.4", "", "::1]", "v1.fe80"]
USERINFO = [
    "https://u:p@media.example",
    "https://u@media.example",
    "https://@media.example",
    "https://good.com@127.0.0.1",
    "https://good.com;@evil.example",
    "https://1.1.1.1%2f@evil.example",
    "https://[2606:4700::1]@evil.example",
    "https://u:443@media.example",
]
PORTS = ["22", "25", "6379", "4222", "0", "65536", "99999", "80", "8443"]
CHARACTERS = [
    "https://media.example/a b",
    " https://media.example/",
    "https://media.example/ ",
    "https://exa\tmple.com/",
    "https://media.example/\r\nX: y",
    "https://media.example/\x00",
    "https://media.example/\x7f",
    "https://media.example/\u2028",
    "https://media.example/\u200b",
    "https://media.example/\ud800",
    "https://media.example\\@evil.example",
    "https://media.example/a\\b",
    "https://media.example/100%",
    "https://media.example/%zz",
    "https://media.example/a#part",
    "https://media.example/a#",
    "https://media.example#@evil.example",
]
NAMES = [
    ".media.example",
    "media.example.",
    "media..example",
    "-media.example",
    "media-.example",
    "a" * 64 + ".example",
    ".".join(["a" * 60] * 5),
    "ex ample",
    "media!.example",
    "media,example",
    "fa\u00df.example",
    "a\u200db.example",
    "\U0001f600.example",
    "::1",
    "[::1",
    "media[.example",
]


def refused(url: str, policy: OriginPolicy = PUBLIC) -> OriginRefused:
    with pytest.raises(OriginRefused) as caught:
        policy.canonical(url)
    return caught.value


@pytest.mark.parametrize("url", NOT_HTTPS)
def test_only_https(url: str) -> None:
    assert refused(url).code == "not_https"


@pytest.mark.parametrize("url", [*MISSPELT, *USERINFO, *CHARACTERS])
def test_strict_spelling(url: str) -> None:
    assert refused(url).code == "invalid"


@pytest.mark.parametrize("host", [*NAMES, *ODD_V4, *(f"[{literal}]" for literal in ODD_V6)])
def test_odd_hosts(host: str) -> None:
    assert refused(f"https://{host}/a").code == "invalid"


@pytest.mark.parametrize(
    "host", [*LOCALHOST, *SPECIAL_V4, *(f"[{literal}]" for literal in SPECIAL_V6)]
)
def test_addresses_that_are_not_public(host: str) -> None:
    refusal = refused(f"https://{host}/a")
    assert refusal.code == "address_refused"
    assert host not in refusal.detail


@pytest.mark.parametrize("host", FOLDED)
def test_folded_spellings_of_an_address(host: str) -> None:
    assert refused(f"https://{host}/a").code in {"address_refused", "invalid"}


@pytest.mark.parametrize("port", PORTS)
def test_other_ports(port: str) -> None:
    refusal = refused(f"https://media.example:{port}/")
    assert (refusal.code, "443" in refusal.detail) == ("port_refused", True)


@pytest.mark.parametrize(
    "port", ["", "x", "443x", "-1", "+443", " 443", "\u0664\u0664\u0663", "000443"]
)
def test_ports_that_are_none(port: str) -> None:
    assert refused(f"https://media.example:{port}/").code == "invalid"


def test_length_is_judged_as_it_is_stored() -> None:
    head = "https://media.example/"
    assert len(PUBLIC.canonical(head + "a" * (2048 - len(head)))) == 2048
    assert refused(head + "a" * (2049 - len(head))).code == "too_long"
    assert refused(head + "\u00e9" * 1000).code == "too_long"


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("HTTPS://Media.Example", "https://media.example/"),
        ("https://media.example:443/a", "https://media.example/a"),
        ("https://media.example?x=1", "https://media.example/?x=1"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://media.example/\u00e4|b", "https://media.example/%C3%A4%7Cb"),
        ("https://m.example/a%2Fb%0d%0aX?s=a%2b+/=&f[x]=~", None),
        ("https://8.8.8.8/", None),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://[::ffff:8.8.8.8]/", "https://8.8.8.8/"),
        ("https://my_bucket.s3.example/a", None),
    ],
)
def test_canonical(url: str, canonical: str | None) -> None:
    assert PUBLIC.canonical(url) == (canonical or url)


@given(st.from_regex(r"https://[a-z]{1,8}\.example(/[!-~]{0,20})?(\?[!-~]{0,20})?", fullmatch=True))
def test_canonical_is_stable(url: str) -> None:
    try:
        canonical = PUBLIC.canonical(url)
    except OriginRefused:
        return
    assert PUBLIC.canonical(canonical) == canonical


@given(st.ip_addresses())
def test_never_wider_than_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    plain = getattr(address, "ipv4_mapped", None) or address
    if not plain.is_global or plain.is_multicast:
        assert not PUBLIC.allows(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert PUBLIC.allows(address)


@pytest.mark.parametrize("address", [*SPECIAL_V4, *SPECIAL_V6, "fe80::1%eth0", "", "media.example"])
def test_no_connection_to(address: str) -> None:
    assert not PUBLIC.allows(address)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8443/a", "https://localhost:8443/a", "https://127.9.9.9/a"]
)
def test_networks_of_the_operator(url: str) -> None:
    assert LOOPBACK.canonical(url) == url
    assert LOOPBACK.allows("127.0.0.1")
    assert LOOPBACK.allows("::ffff:127.0.0.1")
    assert not LOOPBACK.allows("10.0.0.1")
    assert not LOOPBACK.allows("::1")
    assert refused("https://[::1]:8443/", LOOPBACK).code == "address_refused"
    assert "8000-8999" in refused("https://localhost:9000/", LOOPBACK).detail


def test_localhost_means_what_is_let_through() -> None:
    assert PUBLIC.loopback() == ()
    assert LOOPBACK.loopback() == ("127.0.0.1",)
    assert OriginPolicy.from_settings("::1/128", "443").loopback() == ("::1",)


@pytest.mark.parametrize(
    ("networks", "ports"),
    [
        ("10.0.0.0/33", "443"),
        ("10.0.0.1/8", "443"),
        ("media.example", "443"),
        ("", "https"),
        ("", "0"),
        ("", "65536"),
        ("", "9000-8000"),
        ("", "1-2-3"),
        ("", "-443"),
        ("", ""),
    ],
)
def test_settings_that_are_wrong(networks: str, ports: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        OriginPolicy.from_settings(networks, ports)
