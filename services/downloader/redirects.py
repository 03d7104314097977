"""Redirects, followed by hand: every hop is spelt and judged as the first URL was."""

from __future__ import annotations

from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

from services.downloader.errors import Permanent
from shared.origin import OriginPolicy, OriginRefused
from shared.origin.policy import check_characters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from services.downloader.transport import Response, Transport

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


@asynccontextmanager
async def follow(
    transport: Transport, policy: OriginPolicy, url: str, headers: Mapping[str, str]
) -> AsyncIterator[tuple[str, Response]]:
    """GET a canonical URL and give the first answer that is no redirect, with its URL.

    Raises Permanent ``redirect_refused`` or ``address_refused``, and as Transport.get.
    """
    for _ in range(MAX_REDIRECTS + 1):
        async with transport.get(url, headers) as response:
            if response.status not in _REDIRECTS:
                yield url, response
                return
            url = next_hop(policy, url, response.headers.get("Location", ""))
    raise Permanent(
        "redirect_refused",
        f"The origin redirects more than {MAX_REDIRECTS} times.",
        allowed=str(MAX_REDIRECTS),
    )


def next_hop(policy: OriginPolicy, url: str, location: str) -> str:
    """Return where a redirect leads, canonical and without fragment. Raises Permanent."""
    try:
        # Before urljoin, which drops what it does not like.
        check_characters(location)
        return policy.canonical(urldefrag(urljoin(url, location)).url)
    except OriginRefused as refusal:
        code = "address_refused" if refusal.code == "address_refused" else "redirect_refused"
        detail = f"The origin redirects to where Stagedoor does not go. {refusal.detail}"
        raise Permanent(code, detail) from refusal
