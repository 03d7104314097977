"""The HTTP server: every facade, and whether the process is alive and ready."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.http.facades import atmos
from services.api.http.files import SLOTS, make_files
from services.api.http.limits import (
    LIMITER,
    MAX_BODY_BYTES,
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_TARGET_BYTES,
    Limits,
    tell_allowance,
)
from services.api.http.openapi.document import describe
from services.api.http.openapi.routes import routes as openapi_routes
from services.api.http.protocol import SERVER, Runner
from services.api.use_cases.links import FILES
from shared.telemetry.metrics import CONTENT_TYPE, render_metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    from services.api.limits import RateLimiter
    from services.api.use_cases.use_cases import UseCases

SHUTDOWN_SECONDS = 10.0
DEFAULT_LIMITS = Limits()


def make_app(
    use_cases: UseCases,
    *,
    public_url: str | None,
    ready: Callable[[], Awaitable[bool]],
    limiter: RateLimiter | None = None,
    file_slots: int = SLOTS,
    degraded: Callable[[], bool] = lambda: False,
) -> web.Application:
    """All routes; ``ready`` tells whether requests can be served now.

    ``degraded`` tells whether what they ask for has to wait, as while the broker is away.
    ``public_url`` is how clients reach this server (https://host); without it links lead to the
    host that the request named. Without a ``limiter`` callers may ask for any number of things.
    So many files are given out at once as there are ``file_slots``.
    """
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    if limiter is not None:
        app[LIMITER] = limiter
    app.on_response_prepare.append(_hide_server)
    app.on_response_prepare.append(tell_allowance)
    app.add_routes(
        [
            web.get("/healthz", _alive),
            web.get("/readyz", _readiness(ready, degraded)),
            web.get("/metrics", _metrics),
        ]
    )
    facade = atmos.make_facade(use_cases, public_url)
    url = (public_url or "").rstrip("/") + atmos.PREFIX
    description = describe(facade, atmos.RESOURCES, title="Stagedoor", url=url)
    facade.add_routes(openapi_routes(atmos.PREFIX, description))
    app.add_subapp(atmos.PREFIX, facade)
    app.add_subapp(FILES, make_files(use_cases.links, file_slots))
    return app


async def serve(
    app: web.Application,
    host: str,
    port: int,
    limits: Limits = DEFAULT_LIMITS,
    tls: SSLContext | None = None,
) -> tuple[web.AppRunner, int]:
    """Serve until the runner's cleanup; gives the runner and the port (0 means any)."""
    runner = Runner(
        app,
        max_connections=limits.max_connections,
        access_log=None,
        handle_signals=False,
        # Without it a client that sends half a request line would be kept for an hour.
        keepalive_timeout=limits.keepalive,
        lingering_time=limits.linger,
        max_line_size=MAX_TARGET_BYTES,
        max_field_size=MAX_FIELD_BYTES,
        max_headers=MAX_FIELDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    # Those that come at once wait here; the kernel lets one that finds no room try again after
    # 1, 3, 7 and more seconds.
    backlog = limits.max_connections
    await web.TCPSite(runner, host, port, backlog=backlog, ssl_context=tls).start()
    return runner, runner.addresses[0][1]


async def _alive(_: web.Request) -> web.Response:
    return web.json_response({"status": "alive"})


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=render_metrics(), headers={"Content-Type": CONTENT_TYPE})


def _readiness(
    ready: Callable[[], Awaitable[bool]], degraded: Callable[[], bool]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handler(_: web.Request) -> web.Response:
        if await ready():
            return web.json_response({"status": "degraded" if degraded() else "ready"})
        status = HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": "not ready"}, status=status)

    return handler


async def _hide_server(_: web.Request, response: web.StreamResponse) -> None:
    """Name the product, not the versions that it is built on."""
    response.headers["Server"] = SERVER
