"""How such dialects say no: in their own words, with a status that fits."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from aiohttp import web
from uuid_utils.compat import uuid7

from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    RateLimited,
    Refusal,
    Unauthenticated,
)
from services.api.domain.reasons import answer
from services.api.http.authentication import challenge
from services.api.http.jsonapi.errors import JsonApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler, Middleware

    from services.api.http.plain.dialect import Dialect

REQUEST_ID = web.RequestKey("request_id", UUID)
"""By which a client can ask about a request."""

_log = structlog.get_logger(__name__)


class PlainError(Exception):
    """The request is answered with an error."""

    headers: Mapping[str, str] | None = None

    def __init__(self, detail: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        """Take what to say to people, and the status."""
        super().__init__(detail)
        self.status = status


def refuse(
    dialect: Dialect,
    detail: str,
    status: int,
    headers: Mapping[str, str] | None = None,
    id_: UUID | None = None,
) -> web.Response:
    """An answer that says only what is wrong."""
    body = dict(dialect.refusal(detail, id_ or uuid7()))
    return web.json_response(body, status=status, headers=headers)


def error_boundary(dialect: Dialect) -> Middleware:
    """A middleware that gives each request its id, and answers every failure in this dialect.

    It says nothing of our insides.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        id_ = request[REQUEST_ID] = uuid7()
        try:
            return await handler(request)
        except (PlainError, JsonApiError, Refusal, web.HTTPException) as error:
            detail, status, headers = _said(request, error)
            if status == HTTPStatus.UNPROCESSABLE_ENTITY:
                status = dialect.invalid
            return refuse(dialect, detail, status, headers, id_)
        except Exception:  # noqa: BLE001 - the edge of a request: its client gets an answer
            about = {"method": request.method, "path": request.path, "request_id": str(id_)}
            _log.exception("request_failed", **about)
            failed, detail = HTTPStatus.INTERNAL_SERVER_ERROR, "The server met an unexpected error."
            return refuse(dialect, detail, failed, None, id_)

    return middleware


def _said(
    request: web.Request, error: PlainError | JsonApiError | Refusal | web.HTTPException
) -> tuple[str, int, Mapping[str, str]]:
    """What to say to people, the status, and the headers."""
    match error:
        case PlainError() | JsonApiError():  # the latter of who reads bodies for every door
            return str(error), error.status, error.headers or {}
        case Unauthenticated():
            headers = {"WWW-Authenticate": challenge(request)}
            return error.detail, HTTPStatus.UNAUTHORIZED, headers
        case Refusal():
            return _refused(error)
        case _:
            status = HTTPStatus(error.status)
            allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return status.description or status.phrase, status, allow


def _refused(refusal: Refusal) -> tuple[str, int, Mapping[str, str]]:
    detail, headers = refusal.detail, {}
    match refusal:
        case InvalidFields(violations=violations):
            detail = " ".join(dict.fromkeys(each.detail for each in violations))
        case NotFound():
            detail = "There is no such thing."
        case RateLimited(retry_after=wait):
            headers = {"Retry-After": str(math.ceil(wait.total_seconds()))}
    return detail, answer(refusal).http, headers
