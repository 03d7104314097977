"""aiohttp's connections, bounded in number and answering broken requests in our words.

aiohttp offers no hook for the answer to a request that it cannot parse, so the class that handles
a connection is replaced, by the one method that makes servers.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, HttpProcessingError, LineTooLong

from services.api.http.answers import from_http, refusal
from services.api.http.limits import MAX_TARGET_BYTES

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp.http_parser import RawRequestMessage

    _Factory = Callable[..., web.BaseRequest]

SERVER = "stagedoor"

_log = structlog.get_logger(__name__)

_FULL = b"\r\n".join(
    (
        b"HTTP/1.1 503 Service Unavailable",
        b"Server: " + SERVER.encode(),
        b"Content-Type: application/vnd.api+json",
        b"Retry-After: 1",
        b"Connection: close",
    )
)
_BROKEN_BY_CLIENT = (ConnectionError, HttpProcessingError, web.RequestPayloadError)


class Runner(web.AppRunner):
    """Serves an application on connections of ours; aiohttp's own settings are passed on."""

    def __init__(self, app: web.Application, *, max_connections: int, **settings: Any) -> None:
        """Take how many connections there may be at once."""
        super().__init__(app, **settings)
        self._max_connections = max_connections

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        factory = _tolerant(made.request_factory)
        server = _Server(made.request_handler, request_factory=factory, **self._kwargs)
        server.max_connections = self._max_connections
        return server


def _tolerant(make: _Factory) -> _Factory:
    """Make requests also of targets with a host that is none (http://xn--a/), by their path.

    Such a host is decoded, and found wrong, only when it is read, where aiohttp expects no error.
    """

    def factory(message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
        try:
            _ = message.url.host
        except ValueError:
            message = message._replace(url=message.url.relative())
        return make(message, *rest)

    return factory


class _Server(web.Server):
    max_connections: int

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or refuse to when there are too many."""
        super().connection_made(transport)
        server = self._manager
        if isinstance(server, _Server) and len(server.connections) > server.max_connections:
            _log.warning("connection_refused", peer=self.peername)
            body = refusal(None, HTTPStatus.SERVICE_UNAVAILABLE).body
            if self.transport is not None and isinstance(body, bytes):
                length = b"Content-Length: %d" % len(body)
                self.transport.write(b"\r\n".join((_FULL, length, b"", body)))
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote the request
    ) -> web.StreamResponse:
        """Answer a request that could not be parsed, or whose handling broke outside the routes."""
        self.log_exception("Error handling request from %s", request.remote, exc_info=exc)
        if request.writer.output_size > 0:
            # aiohttp closes the connection: half an answer cannot be taken back.
            raise ConnectionError("The answer has begun.")
        is_parsed = not isinstance(exc, HttpProcessingError)
        answer = refusal(request.path if is_parsed else None, _status(status, exc))
        answer.force_close()
        return _signed(answer)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; one that aiohttp decided on outside the facades is put in our words."""
        if isinstance(resp, web.HTTPException):
            resp = _signed(from_http(request.path, resp))
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a fault of ours with its trace, a broken request without."""
        error = kw.get("exc_info")
        if isinstance(error, _BROKEN_BY_CLIENT):
            _log.info("request_broken", peer=self.peername, error=type(error).__name__)
        else:
            _log.error("connection_failed", what=args[0] % args[1:], exc_info=error)


def _signed(answer: web.Response) -> web.Response:
    """With the product's name, which the application gives only to answers of its routes."""
    answer.headers["Server"] = SERVER
    return answer


def _status(status: int, error: BaseException | None) -> int:
    """A status that says more than 400 where the parser tells more (RFC 6585 section 5)."""
    if isinstance(error, LineTooLong):
        is_target = error.args[1] == MAX_TARGET_BYTES
        target, fields = (
            HTTPStatus.REQUEST_URI_TOO_LONG,
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        )
        return target if is_target else fields
    if isinstance(error, BadHttpMessage) and error.message.startswith("Too many headers"):
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return status
