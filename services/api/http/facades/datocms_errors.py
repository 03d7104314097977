"""How this dialect says no: a list of api_error, with a code for programs and details."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from uuid_utils.compat import uuid7

from services.api.domain.errors import (
    InvalidFields,
    NotFound,
    RateLimited,
    Refusal,
    RelatedNotFound,
    ScopeMissing,
    Unauthenticated,
    Unavailable,
)
from services.api.domain.reasons import answer
from services.api.http.authentication import challenge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

DOCS: Final = "/datocms/docs"
RESET: Final = "X-RateLimit-Reset"
CACHE: Final = {"Cache-Control": "max-age=0, private, must-revalidate"}
NOT_FOUND: Final = "NOT_FOUND"
INVALID_FIELD: Final = "INVALID_FIELD"
INVALID: Final = "VALIDATION_INVALID"

_CODES: Final[Mapping[type[Refusal], str]] = {
    Unauthenticated: "INVALID_AUTHORIZATION_HEADER",
    ScopeMissing: "INSUFFICIENT_PERMISSIONS",
    RateLimited: "RATE_LIMIT_EXCEEDED",
    NotFound: NOT_FOUND,
}
_VALIDATIONS: Final = {
    "required": "VALIDATION_REQUIRED",
    "too_long": "VALIDATION_LENGTH",
    "invalid": INVALID,
}
_SOURCE: Final = "url_or_upload_request_id"
_FIELDS: Final = {
    "display_name": "name",
    "source_uri": _SOURCE,
    "source_upload": _SOURCE,
    "file_name": "filename",
}
"""What the core's fields are called here, where they are called otherwise."""
_HTTP_CODES: Final = {
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: "METHOD_NOT_ALLOWED",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "REQUEST_TOO_LARGE",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL_SERVER_ERROR",
    HTTPStatus.SERVICE_UNAVAILABLE: "SERVICE_UNAVAILABLE",
}

Json = dict[str, Any]

_log = structlog.get_logger(__name__)


class ApiError(Exception):
    """The request is answered with an error of this code."""

    def __init__(self, status: int, code: str, /, **details: str) -> None:
        """Take the status, the code and what to tell beside it."""
        super().__init__(code)
        self.status = status
        self.code = code
        self.details = details


def invalid_field(field: str, code: str, message: str) -> ApiError:
    """What is wrong with one value of a document."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return ApiError(status, INVALID_FIELD, field=field, code=code, message=message)


def document(*errors: ApiError) -> Json:
    """The body of a refusal."""
    return {"data": [_resource(error) for error in errors]}


def refuse(detail: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """What the server itself refuses, before a handler is found."""
    code = _HTTP_CODES.get(HTTPStatus(status), "BAD_REQUEST")
    return _answer(ApiError(status, code, message=detail), headers={**CACHE, **(headers or {})})


@web.middleware
async def error_boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every failure with errors that say nothing of our insides."""
    try:
        return await handler(request)
    except ApiError as error:
        return _answer(error)
    except Refusal as refusal:
        return _answer(*_errors_of(refusal), headers=_headers_of(refusal, request))
    except web.HTTPException as error:
        status = HTTPStatus(error.status)
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return refuse(status.description or status.phrase, status, allow)
    except Exception:  # noqa: BLE001 - the edge of a request: its client gets an answer
        _log.exception("request_failed", method=request.method, path=request.path)
        return refuse("The server met an unexpected error.", HTTPStatus.INTERNAL_SERVER_ERROR)


def _errors_of(refusal: Refusal) -> list[ApiError]:
    status = answer(refusal).http
    match refusal:
        case InvalidFields(violations=violations):
            return [
                invalid_field(
                    _FIELDS.get(each.field, each.field),
                    _VALIDATIONS.get(each.code, INVALID),
                    each.detail,
                )
                for each in violations
            ]
        case RelatedNotFound(field="source_upload"):
            return [invalid_field(_SOURCE, INVALID, "There is no such upload request.")]
        case NotFound() | RelatedNotFound():
            return [ApiError(status, NOT_FOUND)]
    code = _CODES.get(type(refusal), refusal.reason)
    return [ApiError(status, code, message=refusal.detail)]


def _headers_of(refusal: Refusal, request: web.Request) -> dict[str, str]:
    match refusal:
        case Unauthenticated():
            return {"WWW-Authenticate": challenge(request)}
        case RateLimited(retry_after=wait):
            return {RESET: str(max(1, math.ceil(wait.total_seconds())))}
    return {}


def _answer(*errors: ApiError, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(document(*errors), status=errors[0].status, headers=headers)


def _resource(error: ApiError) -> Json:
    attributes: Json = {"code": error.code, "doc_url": DOCS, "details": error.details}
    if error.status == answer(Unavailable()).http:
        attributes["transient"] = True  # clients try again by themselves
    return {"id": uuid7().hex, "type": "api_error", "attributes": attributes}
