"""A span for each request, in the trace that its headers name (W3C Trace Context)."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from opentelemetry import propagate, trace

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler
    from opentelemetry import context as spans

_METHODS = frozenset(HTTPMethod)


@web.middleware
async def traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer within the request's span, as OpenTelemetry's conventions for HTTP describe it.

    The query is left out: it may hold what its client had better sent elsewhere.
    """
    known = request.method in _METHODS
    route = _route(request)
    attributes = {
        "http.request.method": request.method if known else "_OTHER",
        "url.path": request.path,
        "url.scheme": request.scheme,
        **({"http.route": route} if route else {}),
    }
    tracer, kind = trace.get_tracer(__name__), trace.SpanKind.SERVER
    name = f"{request.method if known else 'HTTP'} {route}".rstrip()
    with tracer.start_as_current_span(name, _callers(request), kind, attributes) as span:
        response = await handler(request)
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_attribute("error.type", str(response.status))
            span.set_status(trace.StatusCode.ERROR)
        return response


def _callers(request: web.Request) -> spans.Context:
    """The trace that the headers name, if they name one."""
    headers = request.headers
    # Of several, which the standard forbids, none is believed: joined they make no sense.
    return propagate.extract({name.lower(): ",".join(headers.getall(name)) for name in headers})


def _route(request: web.Request) -> str:
    """The template of the path; empty for a path that leads nowhere."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical
