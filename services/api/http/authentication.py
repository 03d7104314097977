"""Who asks: the same bearer tokens on every facade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from services.api.domain.principal import Principal
from services.api.http.limits import spend

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp.typedefs import Handler, Middleware

PRINCIPAL = web.RequestKey("principal", Principal)

Handling = TypeVar("Handling", bound=Callable[..., object])


def public(handler: Handling) -> Handling:
    """Mark a handler that answers everybody, in its own media type only."""
    handler.is_public = True  # type: ignore[attr-defined] # functions take attributes
    return handler


def is_public(request: web.Request) -> bool:
    """Whether the route of a request answers everybody."""
    return getattr(request.match_info.handler, "is_public", False)


def authentication(authenticate: Callable[[str | None], Awaitable[Principal]]) -> Middleware:
    """A middleware that puts the holder of the bearer token (RFC 6750) on the request.

    Their address is that of the connection: what a proxy says of it could be anybody's word.

    Every route behind it but the public ones needs a good token; ``authenticate`` raises
    Unauthenticated for another one and for none, and RateLimited is raised when the caller asks for
    too much. Unknown paths stay 404 for everybody.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None and not is_public(request):
            who = await authenticate(bearer(request))
            spend(request, who)
            request[PRINCIPAL] = replace(who, address=request.remote or "")
        return await handler(request)

    return middleware


def challenge(request: web.Request) -> str:
    """What WWW-Authenticate says: an error only to who brought a token (RFC 6750 section 3)."""
    realm = 'Bearer realm="stagedoor"'
    return realm if bearer(request) is None else f'{realm}, error="invalid_token"'


def bearer(request: web.Request) -> str | None:
    """The bearer token of a request; None if it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
