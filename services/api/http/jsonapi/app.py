"""A JSON:API facade as an aiohttp application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from services.api.http.authentication import authentication
from services.api.http.jsonapi.endpoints import Api, Served
from services.api.http.jsonapi.middlewares import error_boundary, negotiation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.domain.principal import Principal


def make_jsonapi_app(
    *served: Served[Any],
    prefix: str,
    public_url: str | None,
    authenticate: Callable[[str | None], Awaitable[Principal]],
) -> web.Application:
    """The application with the routes of these resources, to be mounted at ``prefix``.

    ``public_url`` starts every link; without it links lead to the host that the request named.
    """
    app = web.Application(middlewares=[error_boundary, negotiation, authentication(authenticate)])
    app.add_routes(Api(served, prefix, public_url).routes())
    return app
