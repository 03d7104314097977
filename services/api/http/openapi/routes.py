"""Where the description and its page are served: to everybody, without a token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from services.api.http.authentication import public
from services.api.http.openapi.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.http.openapi.schemas import Json

DOCUMENT = "/openapi.json"
PAGE = "/docs"

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_PAGE_HEADERS = {
    # Nothing is loaded from anywhere, and of what is in the page only its own style is used.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(prefix: str, make: Callable[[], Json]) -> list[web.RouteDef]:
    """The routes of the document and of its page, in an application mounted at the prefix.

    Both are made when they are wanted first: no start has to wait for them.
    """
    document = cache(make)

    @cache
    def encode() -> bytes:
        return msgspec.json.encode(document())

    @cache
    def draw() -> bytes:
        from services.api.http.openapi.page import render

        return render(document(), f"{prefix}{DOCUMENT}")

    @public
    async def get_document(_: web.Request) -> web.Response:
        body = await asyncio.to_thread(encode)
        return web.Response(body=body, content_type="application/json")

    @public
    async def get_page(_: web.Request) -> web.Response:
        page = await asyncio.to_thread(draw)
        return web.Response(
            body=page, content_type="text/html", charset="utf-8", headers=_PAGE_HEADERS
        )

    return [web.get(DOCUMENT, get_document), web.get(PAGE, get_page)]
