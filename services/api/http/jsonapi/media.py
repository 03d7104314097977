"""The media type: what may come in, what may go out, and how bytes become documents and back.

JSON:API 1.0, Content Negotiation: https://jsonapi.org/format/1.0/#content-negotiation
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from services.api.http.jsonapi.errors import Error, JsonApiError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEDIA_TYPE = "application/vnd.api+json"
BODY_SECONDS = 10.0
"""How long a client may take to send the body of a request."""

_SERVED_RANGES = frozenset({MEDIA_TYPE, "application/*", "*/*"})
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def respond(
    document: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A document as a response; its Content-Type carries no parameter."""
    body = msgspec.json.encode(document)
    return web.Response(body=body, status=status, headers=headers, content_type=MEDIA_TYPE)


def negotiate(request: web.Request) -> None:
    """Refuse a request that cannot be answered in the media type.

    No Accept, ``*/*`` and ``application/*`` are served. Raises JsonApiError: 406 when Accept leaves
    no way to answer, 415 when Content-Type is JSON:API with any parameter.
    """
    if not _is_acceptable(request.headers.getall("Accept", [])):
        raise JsonApiError(Error(406, f"The response can only be {MEDIA_TYPE}."))
    type_, _, parameters = request.headers.get("Content-Type", "").partition(";")
    if type_.strip().lower() == MEDIA_TYPE and parameters:
        raise _unsupported("without any parameter")


async def read_document(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body.

    Raises JsonApiError: 415 for another Content-Type, 408 for a body that does not come, 400 for
    one that is broken or no JSON object. aiohttp itself raises 413.
    """
    if request.headers.get("Content-Type", "").strip().lower() != MEDIA_TYPE:
        raise _unsupported("as its Content-Type")
    body = await _read(request)
    if not body:
        raise _invalid_json("Expecting JSON to decode.")
    try:
        document = msgspec.json.decode(body)
    except _MALFORMED as error:
        raise _invalid_json("The request body is not valid JSON.") from error
    if not isinstance(document, dict):
        raise _invalid_json("Expecting JSON to decode to an object.")
    return document


async def _read(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        headers = {"Connection": "close"}
        late = Error(408, "The request body did not arrive in time.")
        raise JsonApiError(late, headers=headers) from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise JsonApiError(Error(400, "The request body is broken.")) from error


def _is_acceptable(headers: list[str]) -> bool:
    ranges = [part for header in headers for part in header.split(",") if part.strip()]
    return not ranges or any(_is_served(range_) for range_ in ranges)


def _is_served(media_range: str) -> bool:
    type_, *parameters = (part.strip().lower() for part in media_range.split(";"))
    if type_ not in _SERVED_RANGES:
        return False
    weights = list(_weights(parameters))
    # A weight is no parameter of the media type; any other one is, also behind the weight.
    return len(weights) == len(parameters) and not any(weight == 0 for weight in weights)


def _weights(parameters: list[str]) -> Iterator[float]:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                yield float(value)
            except ValueError:
                yield 1.0


def _unsupported(how: str) -> JsonApiError:
    return JsonApiError(Error(415, f"The request must have {MEDIA_TYPE} {how}."))


def _invalid_json(detail: str) -> JsonApiError:
    return JsonApiError(Error(HTTPStatus.BAD_REQUEST, detail, title="Invalid JSON"))
