"""The HTTP server: every facade, and whether the process is alive and ready."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.http.cors import Cors
from services.api.http.facades import atmos, datocms, idol, sourceaudio, upload_sessions
from services.api.http.files import SLOTS, make_files
from services.api.http.incoming import SLOTS as INCOMING_SLOTS
from services.api.http.incoming import Incoming, make_incoming
from services.api.http.limits import (
    LIMITER,
    MAX_BODY_BYTES,
    MAX_FIELD_BYTES,
    MAX_FIELDS,
    MAX_TARGET_BYTES,
    Limits,
    tell_allowance,
)
from services.api.http.openapi.document import describe, endpoints
from services.api.http.openapi.routes import routes as openapi_routes
from services.api.http.protocol import SERVER, Runner
from services.api.use_cases.uploads import INCOMING
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
    upload_slots: int = INCOMING_SLOTS,
    degraded: Callable[[], bool] = lambda: False,
    daily_writes: int | None = None,
    upload_origins: str = "*",
    datocms_limiter: RateLimiter | None = None,
) -> web.Application:
    """All routes; ``ready`` tells whether requests can be served now.

    ``degraded`` tells whether what they ask for has to wait, as while the broker is away.
    ``public_url`` is how clients reach this server (https://host); without it links lead to the
    host that the request named. Without a ``limiter`` callers may ask for any number of things.
    So many files are given out at once as there are ``file_slots``, and taken in as there are
    ``upload_slots``. By the facade that limits them a tenant can make ``daily_writes`` tasks in a
    day, any number if it is None. Pages of the ``upload_origins`` may put files: see Cors. The
    ``datocms_limiter`` is that facade's own besides the other.
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
    facades = {
        atmos.PREFIX: (atmos.make_facade(use_cases, public_url), atmos.DESCRIPTION),
        idol.PREFIX: (idol.make_facade(use_cases, public_url, daily_writes), idol.DESCRIPTION),
    }
    for prefix, (facade, description) in facades.items():
        url = (public_url or "").rstrip("/") + prefix
        document = partial(describe, endpoints(facade), description, url)
        facade.add_routes(openapi_routes(prefix, document))
        app.add_subapp(prefix, facade)
    incoming = Incoming(use_cases.receiving, upload_slots)
    app.add_subapp(sourceaudio.PREFIX, sourceaudio.make_facade(use_cases, public_url, incoming))
    app.add_subapp(upload_sessions.PREFIX, upload_sessions.make_facade(use_cases, public_url))
    app.add_subapp(datocms.PREFIX, datocms.make_facade(use_cases, public_url, datocms_limiter))
    files = make_files(use_cases.links, use_cases.covers, file_slots)
    for where, given_out in files.items():
        app.add_subapp(where, given_out)
    authenticate = use_cases.tokens.authenticate
    cors = Cors.parse(upload_origins)
    app.add_subapp(INCOMING, make_incoming(incoming, use_cases.appending, authenticate, cors))
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
