"""A GET as bytes, and the origin that it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import h11

from services.downloader.errors import Permanent
from shared.origin.policy import HTTPS_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

# Fields that are this client's own business: framing, routing, and what it can decode.
_OWN = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """An origin: the scheme is https, an IPv6 host has no brackets."""

    host: str
    port: int


def place_of(url: str) -> Place:
    """Return the origin of a canonical URL."""
    parts = urlsplit(url)
    return Place(parts.hostname or "", parts.port or HTTPS_PORT)


def get_request(url: str, headers: Mapping[str, str], user_agent: str) -> h11.Request:
    """Build the GET of a canonical URL. Raises Permanent ``invalid_request``.

    h11 refuses what would break out of a field: RFC 9112 §5.2 and §11.1.
    """
    parts = urlsplit(url)
    # As it is, byte for byte: it may be signed.
    target = url.removeprefix(f"https://{parts.netloc}")
    fields = {"User-Agent": user_agent, "Accept": "*/*"} | dict(headers)
    if not _OWN.isdisjoint(map(str.lower, headers)):
        raise _unsendable()
    own = {"Host": parts.netloc, "Accept-Encoding": "identity"}
    try:
        return h11.Request(method="GET", target=target, headers=list((own | fields).items()))
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise _unsendable() from error


def _unsendable() -> Permanent:
    return Permanent("invalid_request", "A header field for the origin cannot be sent.")
