"""How the server itself refuses a request that no handler takes: in the words of its facade."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.http.facades import atmos
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.media import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

_DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request is no valid HTTP message.",
    HTTPStatus.NOT_FOUND: "The requested resource does not exist.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This method is not supported here.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request body is too large.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The URL is too long.",
    HTTPStatus.EXPECTATION_FAILED: "The only expectation that can be met is 100-continue.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too many or too large.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server met an unexpected error.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server has too many connections.",
}


def refusal(
    path: str | None, status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The refusal for a path: JSON:API where that is spoken, else plain text.

    None is a path that could not be read; it gets JSON:API, as most clients speak it.
    """
    detail = _DETAILS.get(HTTPStatus(status), HTTPStatus(status).phrase)
    if path is None or f"{path}/".startswith(f"{atmos.PREFIX}/"):
        document = JsonApiError(Error(status, detail)).render()
        return respond(document, status, headers)
    return web.Response(text=f"{detail}\n", status=status, headers=headers)


def from_http(path: str, error: web.HTTPException) -> web.Response:
    """The refusal that aiohttp decided on, in our words."""
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return refusal(path, error.status, allow)
