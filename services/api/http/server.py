"""The HTTP server: every facade, and whether the process is alive and ready."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.http.facades import atmos
from services.api.http.jsonapi.middlewares import error_boundary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.use_cases.use_cases import UseCases

MAX_BODY_BYTES = 64 * 1024
KEEPALIVE_SECONDS = 15.0
SHUTDOWN_SECONDS = 10.0


def make_app(
    use_cases: UseCases, *, public_url: str | None, ready: Callable[[], Awaitable[bool]]
) -> web.Application:
    """All routes; ``ready`` tells whether requests can be served now.

    ``public_url`` is how clients reach this server (https://host); without it links lead to the
    host that the request named.
    """
    app = web.Application(middlewares=[error_boundary], client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(_hide_server)
    app.add_routes([web.get("/healthz", _alive), web.get("/readyz", _readiness(ready))])
    app.add_subapp(atmos.PREFIX, atmos.make_facade(use_cases, public_url))
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner's cleanup; gives the runner and the port (0 means any)."""
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        # Without it a client that sends half a request line would be kept for an hour.
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, runner.addresses[0][1]


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


def _readiness(
    ready: Callable[[], Awaitable[bool]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        if await ready():
            return web.json_response({"status": "ready"})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": "not ready"}, status=status)

    return handler


async def _hide_server(_: web.Request, response: web.StreamResponse) -> None:
    """Name the product, not the versions that it is built on."""
    response.headers["Server"] = "stagedoor"
