"""The whole rule of what is fetched: scheme, spelling, host, port, address."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from shared.origin.addresses import Address, Network, is_public, parse_address
from shared.origin.hosts import canonical_host, is_localhost
from shared.origin.refused import ADDRESS_REFUSED, OriginRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTPS_PORT = 443
_MAX_URL = 2048
_MAX_PORT = 65535

_URL = re.compile(
    r"(?i:https)://(?P<host>\[[^\]/?@]*\]|[^/?:@\[\]]*)(?P<port>:[0-9]{1,5})?(?P<rest>(?:[/?].*)?)",
    re.DOTALL,
)
_SCHEME = re.compile(r"(?:(?!https:)[a-z][a-z0-9+.-]*:|//)", re.IGNORECASE | re.ASCII)
_USERINFO = re.compile(r"https://[^/?]*@", re.IGNORECASE)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 3986 §2.2 and §2.3, and the brackets that real query strings carry unescaped.
_KEPT = "%/?:@!$&'()*+,;=-._~[]"


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """What is fetched: public unicast addresses on port 443, and what the operator adds.

    ``allow_networks`` are let through at create and at connect, as literals and as names that
    resolve into them; ``allow_ports`` replaces port 443.
    """

    allow_networks: tuple[Network, ...] = ()
    allow_ports: tuple[range, ...] = (range(HTTPS_PORT, HTTPS_PORT + 1),)

    @classmethod
    def from_settings(cls, networks: str, ports: str) -> Self:
        """Read comma-separated CIDRs, and comma-separated ports or ranges (``443,8000-8999``).

        Raises ValueError that names the bad value.
        """
        allow_ports = tuple(_port_range(item) for item in _items(ports))
        if not allow_ports:
            raise ValueError("at least one port must be allowed")
        return cls(tuple(ip_network(item) for item in _items(networks)), allow_ports)

    def canonical(self, url: str) -> str:
        """Return the one spelling of a URL that is stored and fetched.

        Path and query stay as they are, except that what RFC 3986 does not allow there is
        percent-encoded. Raises OriginRefused.
        """
        check_characters(url)
        if "#" in url:
            raise OriginRefused("invalid", "The URL must not have a fragment (#).")
        match = _URL.fullmatch(url)
        if match is None:
            raise _misspelt(url)
        host, address = canonical_host(match["host"])
        port = int(match["port"][1:]) if match["port"] else HTTPS_PORT
        self._check_host(host, address)
        self._check_port(port)
        suffix = "" if port == HTTPS_PORT else f":{port}"
        canonical = f"https://{host}{suffix}{_path_and_query(match['rest'])}"
        if len(canonical) > _MAX_URL:
            raise _too_long()
        return canonical

    def allows(self, address: str | IPv4Address | IPv6Address) -> bool:
        """Tell whether a connection to this address may be begun; no address at all may not."""
        plain = parse_address(str(address))
        return plain is not None and (self.exempts(plain) or is_public(plain))

    def exempts(self, address: Address) -> bool:
        """Tell whether the operator let this address through by name."""
        return any(address in network for network in self.allow_networks)

    def allows_port(self, port: int) -> bool:
        """Tell whether a connection to this port may be begun."""
        return 0 < port <= _MAX_PORT and any(port in ports for ports in self.allow_ports)

    def loopback(self) -> tuple[str, ...]:
        """Return what ``localhost`` means here: the loopback addresses that are let through."""
        return tuple(text for text in ("127.0.0.1", "::1") if self.allows(text))

    def _check_host(self, host: str, address: Address | None) -> None:
        unreachable = is_localhost(host) and not self.loopback()
        if unreachable or (address is not None and not self.allows(address)):
            raise OriginRefused("address_refused", ADDRESS_REFUSED)

    def _check_port(self, port: int) -> None:
        if not self.allows_port(port):
            ports = ", ".join(_spell(ports) for ports in self.allow_ports)
            raise OriginRefused("port_refused", f"The port must be one of: {ports}.")


def check_characters(url: str) -> None:
    """Refuse what some parser would drop, fold or read as a delimiter. Raises OriginRefused."""
    if len(url) > _MAX_URL:
        raise _too_long()
    if "\\" in url or any(unicodedata.category(character)[0] in "CZ" for character in url):
        raise OriginRefused(
            "invalid", "The URL must not contain spaces, control characters or backslashes."
        )
    if _BAD_ESCAPE.search(url):
        raise OriginRefused("invalid", "Each % in the URL must begin an escape of two hex digits.")


def _too_long() -> OriginRefused:
    return OriginRefused("too_long", f"The URL must have at most {_MAX_URL} characters.")


def _misspelt(url: str) -> OriginRefused:
    if _SCHEME.match(url):
        return OriginRefused("not_https", "The URL must begin with https://.")
    if _USERINFO.match(url):
        return OriginRefused("invalid", "The URL must not carry a user name or password.")
    return OriginRefused("invalid", "The URL must be https://host/path, the port after the host.")


def _path_and_query(rest: str) -> str:
    slash = "" if rest.startswith("/") else "/"
    return slash + quote(rest, safe=_KEPT)


def _items(text: str) -> Iterator[str]:
    return filter(None, map(str.strip, text.split(",")))


def _port_range(text: str) -> range:
    first, _, last = text.partition("-")
    if not re.fullmatch(r"[0-9]{1,5}(?:-[0-9]{1,5})?", text):
        raise ValueError(f"{text!r} is neither a port nor a range of ports like 8000-8999")
    ports = range(int(first), int(last or first) + 1)
    if not 0 < ports.start < ports.stop <= _MAX_PORT + 1:
        raise ValueError(f"{text!r} must lie between 1 and {_MAX_PORT}, lowest first")
    return ports


def _spell(ports: range) -> str:
    return str(ports.start) if len(ports) == 1 else f"{ports.start}-{ports.stop - 1}"
