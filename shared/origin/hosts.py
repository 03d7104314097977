"""The host of a URL in its one spelling: an A-label name or a plain IP literal."""

from __future__ import annotations

import re
import unicodedata

from shared.origin.addresses import Address, parse_address
from shared.origin.refused import OriginRefused

_MAX_NAME = 253
# RFC 1123 §2.1, and the underscore that object stores and CDNs use in names.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
# What the resolver of some system reads as an IPv4 address (RFC 6943 §3.1.1; URL Standard, "ends
# in a number"): a last label that is decimal, octal or hexadecimal. No top-level domain is.
_NUMERIC = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.ASCII)
# IDNA 2003 and IDNA 2008 map these to different names (RFC 5894 §7.2, "deviation characters").
_DEVIATIONS = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")

_LOCALHOST_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"}
)


def is_localhost(host: str) -> bool:
    """Tell whether a canonical host is a name for this machine (RFC 6761 §6.3)."""
    return host in _LOCALHOST_NAMES or host.endswith(".localhost")


def canonical_host(text: str) -> tuple[str, Address | None]:
    """Return the host as it is stored, and its address if it is a literal.

    An IPv6 literal keeps its brackets. Raises OriginRefused ``invalid``.
    """
    if text.startswith("["):
        return _ipv6_literal(text)
    name = _a_labels(text)
    if _NUMERIC.fullmatch(name.rpartition(".")[2]):
        address = parse_address(name)
        if address is None:
            raise OriginRefused("invalid", "An IPv4 address must be four plain decimal numbers.")
        return str(address), address
    if len(name) > _MAX_NAME or not all(map(_LABEL.fullmatch, name.split("."))):
        raise OriginRefused(
            "invalid",
            "The host must be a domain name: labels of 1 to 63 letters, digits and hyphens"
            " joined by single dots, at most 253 characters.",
        )
    return name, None


def _ipv6_literal(text: str) -> tuple[str, Address]:
    address = parse_address(text[1:-1]) if text.endswith("]") else None
    if address is None or ":" not in text:
        raise OriginRefused("invalid", "An IPv6 address must be plain, in brackets, and unzoned.")
    return (f"[{address}]" if address.version == 6 else str(address)), address  # noqa: PLR2004 - the version of IPv6


def _a_labels(text: str) -> str:
    """Apply IDNA ToASCII (RFC 3490 §4.1), refusing what its successor reads otherwise."""
    if text.isascii():
        return text.lower()
    undecided = _DEVIATIONS.intersection(text) or any(
        unicodedata.ucd_3_2_0.category(character) == "Cn" for character in text
    )
    try:
        name = "" if undecided else text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if not name:
        raise OriginRefused("invalid", "The host must be a domain name; write it in its xn-- form.")
    return name
