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
    from aiohttp.typedefs import Handler, Middleware

    from services.api.http.jsonapi.dialect import Dialect

_log = structlog.get_logger(__name__)

_HOST = re.compile(r"([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "The requested resource does not exist.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not supported here.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is too large.",
}


def error_boundary(dialect: Dialect) -> Middleware:
    """A middleware that answers every failure with an errors document of this dialect.

    It says nothing of our insides.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except JsonApiError as error:
            return answer(error, dialect)
        except Unauthenticated as refusal:
            headers = {"WWW-Authenticate": challenge(request)}
            return answer(JsonApiError(*from_refusal(refusal).errors, headers=headers), dialect)
        except Refusal as refusal:
            return answer(from_refusal(refusal), dialect)
        except web.HTTPException as error:
            return answer(_from_http(error), dialect)
        except Exception:  # noqa: BLE001 - the edge of a request: its client gets an answer
            _log.exception("request_failed", method=request.method, path=request.path)
            failed = Error(500, "The server met an unexpected error.")
            return answer(JsonApiError(failed), dialect)

    return middleware


def negotiation(dialect: Dialect) -> Middleware:
    """A middleware that refuses, before anything is done, what could not be answered."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        # Links are made of it, and RFC 9112 section 3.2 demands a 400 for a Host that is none.
        if not _HOST.fullmatch(request.headers.get("Host", "")):
            raise JsonApiError(Error(HTTPStatus.BAD_REQUEST, "The Host header is invalid."))
        if not is_public(request):
            negotiate(request, dialect.is_accepted)
        return await handler(request)

    return middleware


def answer(error: JsonApiError, dialect: Dialect) -> web.Response:
    """The answer to what is refused."""
    said = dialect.reworded(error)
    return respond(dialect.refusal(said), said.status, said.headers)


def _from_http(error: web.HTTPException) -> JsonApiError:
    """What aiohttp itself refuses; nothing here redirects."""
    status = HTTPStatus(error.status)
    detail = _HTTP_DETAILS.get(status, status.description or status.phrase)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return JsonApiError(Error(status, detail), headers=headers)
