"""Redirects, followed by hand: every hop is spelt and judged as the first URL was."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from services.downloader.errors import Permanent
from services.downloader.request import place_of
from shared.origin import OriginPolicy, OriginRefused
from shared.origin.policy import check_characters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.downloader.transport import Response, Transport
    from shared.origin.stop import Stop

MAX_REDIRECTS = 5

_REDIRECTS = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


@contextmanager
def follow(  # noqa: PLR0917 - what is asked, then for whom
    transport: Transport,
    policy: OriginPolicy,
    url: str,
    credentials: Mapping[str, str],
    headers: Mapping[str, str],
    stop: Stop,
) -> Iterator[tuple[str, Response]]:
    """GET a canonical URL and give the first answer that is no redirect, with its URL.

    ``headers`` go with every request. ``credentials`` are for the origin of ``url`` alone: the
    first hop that leaves it drops them for good, also where a later one leads back (RFC 9110
    §15.4). So always start from the URL that they were given with, never from a hop.

    Raises Permanent ``redirect_refused`` or ``address_refused``, and as Transport.get.
    """
    home = place_of(url)
    fields = {**credentials, **headers}
    for _ in range(MAX_REDIRECTS + 1):
        with transport.get(url, fields, stop) as response:
            if response.status not in _REDIRECTS:
                yield url, response
                return
            url = next_hop(policy, url, response.headers.get("Location", ""))
        if place_of(url) != home:
            fields = dict(headers)
    raise Permanent(
        "redirect_refused",
        f"The origin redirects more than {MAX_REDIRECTS} times.",
        allowed=str(MAX_REDIRECTS),
    )


def next_hop(policy: OriginPolicy, url: str, location: str) -> str:
    """Return where a redirect leads, canonical and without fragment. Raises Permanent."""
    if not location:
        raise Permanent("redirect_refused", "The origin redirects without saying where.")
    try:
        # Before urljoin, which drops what it does not like.
        check_characters(location)
        return policy.canonical(urldefrag(urljoin(url, location)).url)
    except OriginRefused as refusal:
        code = "address_refused" if refusal.code == "address_refused" else "redirect_refused"
        detail = f"The origin redirects to where Stagedoor does not go. {refusal.detail}"
        raise Permanent(code, detail) from refusal
