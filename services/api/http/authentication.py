"""Who asks: the same bearer tokens on every facade."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.domain.principal import Principal
from services.api.http.limits import spend

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

PRINCIPAL = web.RequestKey("principal", Principal)


def authentication(authenticate: Callable[[str | None], Awaitable[Principal]]) -> Middleware:
    """A middleware that puts the holder of the bearer token (RFC 6750) on the request.

    Their address is that of the connection: what a proxy says of it could be anybody's word.

    Every route behind it needs a good token; ``authenticate`` raises Unauthenticated for another
    one and for none, and RateLimited is raised when the caller asks for too much. Unknown paths
    stay 404 for everybody.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None:
            who = await authenticate(_bearer(request))
            spend(request, who)
            request[PRINCIPAL] = replace(who, address=request.remote or "")
        return await handler(request)

    return middleware


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
