"""Actions under a prefix, by default each by GET and by POST, as an aiohttp application."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from services.api.http.authentication import bearer
from services.api.http.idempotency import WRONG, read_options
from services.api.http.limits import spend
from services.api.http.plain.errors import REQUEST_ID, PlainError, error_boundary
from services.api.http.plain.parameters import TOKEN, Parameter, read_given, read_object
from services.api.http.traces import traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from services.api.domain.principal import Principal
    from services.api.http.plain.dialect import Dialect
    from services.api.http.plain.parameters import Given
    from services.api.use_cases.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What one client asks for: ``values`` are UNSET where nothing was said.

    ``origin`` is how it reaches us, ``id`` what the request is called.
    """

    who: Principal
    values: Mapping[str, Any]
    origin: str
    id: UUID
    options: Options

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter."""
        return self.values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that can be done: at ``/name``, answered with a JSON object.

    The name is a path, with parameters in braces.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    run: Callable[[Call], Awaitable[Mapping[str, object]]]
    answer: Mapping[str, object]
    methods: tuple[str, ...] = ("GET", "POST")


def make_plain_app(
    actions: tuple[Action, ...],
    authenticate: Callable[[str | None], Awaitable[Principal]],
    public_url: str | None,
    dialect: Dialect,
) -> web.Application:
    """The application to mount; a token that is a parameter is told to nobody."""
    app = web.Application(middlewares=[traced, error_boundary(dialect)])
    for action in actions:
        handler = _handler(action, authenticate, public_url, dialect)
        for method in action.methods:
            app.router.add_route(method, f"/{action.name}", handler)
    return app


def _handler(
    action: Action,
    authenticate: Callable[[str | None], Awaitable[Principal]],
    public_url: str | None,
    dialect: Dialect,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        who, given = await _told(request, authenticate, dialect)
        call = Call(
            who=replace(who, address=request.remote or ""),
            values={each.name: each.read(given | request.match_info) for each in action.parameters},
            origin=(public_url or f"{request.scheme}://{request.host}").rstrip("/"),
            id=request[REQUEST_ID],
            options=_options(request),
        )
        return web.json_response(dict(await action.run(call)))

    return handle


async def _told(
    request: web.Request,
    authenticate: Callable[[str | None], Awaitable[Principal]],
    dialect: Dialect,
) -> tuple[Principal, Given]:
    """Who asks, and what they say."""
    # A body is read before its sender is known only where the token may be in it.
    given = await read_given(request) if dialect.loose else {}
    token = given.pop(TOKEN, None) if dialect.loose else None
    who = await authenticate(bearer(request) or (token if isinstance(token, str) else None))
    spend(request, who)
    return who, given if dialect.loose else await read_object(request)


def _options(request: web.Request) -> Options:
    options = read_options(request.headers)
    if options is None:
        raise PlainError(WRONG)
    return options
