"""A JSON:API facade as an aiohttp application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from services.api.http.authentication import authentication
from services.api.http.jsonapi.api import Api
from services.api.http.jsonapi.atomic import Atomic
from services.api.http.jsonapi.dialect import STANDARD, Dialect
from services.api.http.jsonapi.endpoints import Endpoints
from services.api.http.jsonapi.events import Streams
from services.api.http.jsonapi.feeds import Feeds
from services.api.http.jsonapi.links import Links
from services.api.http.jsonapi.middlewares import error_boundary, negotiation
from services.api.http.jsonapi.reports import Reports
from services.api.http.jsonapi.secrets import Secrets
from services.api.http.traces import traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.atomic import Run
    from services.api.http.jsonapi.operations import Served


def make_jsonapi_app(
    *served: Served[Any],
    prefix: str,
    public_url: str | None,
    authenticate: Callable[[str | None], Awaitable[Principal]],
    run: Run | None = None,
    dialect: Dialect = STANDARD,
) -> web.Application:
    """The application with the routes of these resources, to be mounted at ``prefix``.

    ``public_url`` starts every link; without it links lead to the host that the request named.
    ``run`` runs several operations in one transaction; without it there are no atomic requests.
    """
    around = [error_boundary(dialect), negotiation(dialect), authentication(authenticate)]
    app = web.Application(middlewares=[traced, *around])
    api, streams = Api(served, prefix, public_url, dialect), Streams()
    app.on_shutdown.append(streams.stop)
    app.add_routes(_routes(api, streams))
    if run is not None:
        app.add_routes(Atomic(api, run).routes())
    return app


def _routes(api: Api, streams: Streams) -> Iterator[web.RouteDef]:
    for each in api.served.values():
        yield from Endpoints(api, each).routes()
        following = each.operations.following
        if following is not None:
            yield from Feeds(api, each.resource, following, streams).routes()
        if each.operations.report is not None:
            yield from Reports(each.resource, each.operations.report).routes()
        if each.operations.link is not None:
            yield from Links(api, each.resource, each.operations.link).routes()
        if each.operations.rotate is not None:
            yield from Secrets(api, each, each.operations.rotate).routes()
