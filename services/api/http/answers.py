"""How the server itself refuses a request that no handler takes: in the words of its facade."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from services.api.http.facades import atmos, datocms, idol, sourceaudio, upload_sessions
from services.api.http.facades.datocms_errors import refuse as refuse_datocms
from services.api.http.jsonapi.dialect import STANDARD
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.middlewares import answer
from services.api.http.plain.errors import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIALECTS = {
    atmos.PREFIX: atmos.DESCRIPTION.dialect,
    idol.PREFIX: idol.DESCRIPTION.dialect,
}
_PLAIN = {
    sourceaudio.PREFIX: sourceaudio.DIALECT,
    upload_sessions.PREFIX: upload_sessions.DIALECT,
}
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
    """The refusal for a path: in the words of its facade, else as plain text.

    None is a path that could not be read; it gets plain JSON:API, as most clients speak it.
    """
    detail = _DETAILS.get(HTTPStatus(status), HTTPStatus(status).phrase)
    error = JsonApiError(Error(status, detail), headers=headers)
    if path is None:
        return answer(error, STANDARD)
    for prefix, dialect in _DIALECTS.items():
        if f"{path}/".startswith(f"{prefix}/"):
            return answer(error, dialect)
    for prefix, plain in _PLAIN.items():
        if f"{path}/".startswith(f"{prefix}/"):
            return refuse(plain, detail, status, headers)
    if f"{path}/".startswith(f"{datocms.PREFIX}/"):
        return refuse_datocms(detail, status, headers)
    return web.Response(text=f"{detail}\n", status=status, headers=headers)


def from_http(path: str, error: web.HTTPException) -> web.Response:
    """The refusal that aiohttp decided on, in our words."""
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return refusal(path, error.status, allow)
