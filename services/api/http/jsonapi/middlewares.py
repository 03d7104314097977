"""What surrounds every handler of a JSON:API facade."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from services.api.domain.errors import Refusal, Unauthenticated
from services.api.http.authentication import challenge, is_public
from services.api.http.jsonapi.errors import Error, JsonApiError, from_refusal
from services.api.http.jsonapi.media import negotiate, respond

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_log = structlog.get_logger(__name__)

_HOST = re.compile(r"([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "The requested resource does not exist.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not supported here.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is too large.",
}


@web.middleware
async def error_boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure with an errors document that says nothing of our insides."""
    try:
        return await handler(request)
    except JsonApiError as error:
        return _answer(error)
    except Unauthenticated as refusal:
        headers = {"WWW-Authenticate": challenge(request)}
        return _answer(JsonApiError(*from_refusal(refusal).errors, headers=headers))
    except Refusal as refusal:
        return _answer(from_refusal(refusal))
    except web.HTTPException as error:
        return _answer(_from_http(error))
    except Exception:  # noqa: BLE001 - the edge of a request: its client gets an answer
        _log.exception("request_failed", method=request.method, path=request.path)
        return _answer(JsonApiError(Error(500, "The server met an unexpected error.")))


@web.middleware
async def negotiation(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse, before anything is done, a request that could not be answered."""
    # Links are made of it, and RFC 9112 section 3.2 demands a 400 for a Host that is none.
    if not _HOST.fullmatch(request.headers.get("Host", "")):
        raise JsonApiError(Error(HTTPStatus.BAD_REQUEST, "The Host header is invalid."))
    if not is_public(request):
        negotiate(request)
    return await handler(request)


def _answer(error: JsonApiError) -> web.Response:
    return respond(error.render(), error.status, error.headers)


def _from_http(error: web.HTTPException) -> JsonApiError:
    """What aiohttp itself refuses; nothing here redirects."""
    status = HTTPStatus(error.status)
    detail = _HTTP_DETAILS.get(status, status.description or status.phrase)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return JsonApiError(Error(status, detail), headers=headers)
