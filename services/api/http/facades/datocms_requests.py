"""What is checked of every request of this dialect, and what is read of its body."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from aiohttp import web

from services.api.domain.errors import NotFound, RateLimited
from services.api.http.authentication import PRINCIPAL, bearer, is_public
from services.api.http.facades.datocms_errors import CACHE, INVALID, ApiError, invalid_field
from services.api.http.limits import LIMITER
from services.api.limits import Allowance
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from aiohttp.typedefs import Handler, Middleware

    from services.api.domain.principal import Principal
    from services.api.limits import RateLimiter

VERSION: Final = "3"
TYPES: Final = frozenset({"application/json", "application/vnd.api+json"})
DEFAULT_LIMIT: Final = 30
MAX_LIMIT: Final = 500
MAX_OFFSET: Final = 1_000_000

_ALLOWANCE = web.RequestKey("datocms_allowance", Allowance)
_ACCEPTED = {*TYPES, "*/*", "application/*"}
_ID_LENGTH = 22
_KEY = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_REQUEST_ID = re.compile(r"/([A-Za-z0-9_-]{22})/[^/]+", re.ASCII)


def short(id_: UUID) -> str:
    """An id as this dialect writes it: 22 letters, digits, hyphens and underscores."""
    return base64.urlsafe_b64encode(id_.bytes).decode().rstrip("=")


def long(text: str) -> UUID | None:
    """The id that is written so, or None."""
    try:
        id_ = UUID(bytes=base64.urlsafe_b64decode(f"{text}=="))
    except (binascii.Error, ValueError):
        return None
    return id_ if len(text) == _ID_LENGTH and short(id_) == text else None


def upload_in(request_id: str) -> UUID | None:
    """The upload that an upload request's id stands for, or None."""
    found = _REQUEST_ID.fullmatch(request_id)
    return long(found[1]) if found else None


def addressed(request: web.Request, name: str = "id") -> UUID:
    """The id in the URL. Raises NotFound for one that nothing can have."""
    text = request.match_info[name]
    if id_ := long(text):
        return id_
    raise NotFound("resource", text)


def number_in(request: web.Request) -> int:
    """The number in the URL. Raises NotFound for one that nothing can have."""
    text = request.match_info["id"]
    if _NUMBER.fullmatch(text):
        return int(text)
    raise NotFound("resource", text)


def surrounded(
    authenticate: Callable[[str | None], Awaitable[Principal]], limiter: RateLimiter | None
) -> Middleware:
    """A middleware that lets good requests of known callers through, not too many of them."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None and not is_public(request):
            who = await authenticate(bearer(request))
            _spend(request, who, limiter)
            request[PRINCIPAL] = replace(who, address=request.remote or "")
            _check_headers(request)
        return await handler(request)

    return middleware


def teller(
    limiter: RateLimiter | None,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """What says on every answer how many requests are left, and that it is not to be kept."""

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(CACHE)
        if limiter is not None:
            allowance = request.get(_ALLOWANCE)
            left = limiter.limit if allowance is None else allowance.remaining
            response.headers["X-RateLimit-Limit"] = str(limiter.limit)
            response.headers["X-RateLimit-Remaining"] = str(left)

    return tell


def options_of(request: web.Request) -> Options:
    """How a request wants to be done. Raises ApiError for a key that cannot be kept."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return AT_ONCE
    if not _KEY.fullmatch(key):
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_IDEMPOTENCY_KEY_HEADER")
    return Options(key=key)


async def attributes_of(
    request: web.Request, type_: str, known: Collection[str], id_: str | None = None
) -> dict[str, Any]:
    """The attributes of the one resource in a body. Raises ApiError.

    What is not ``known`` is refused, unless it is null: nothing that was sent gets lost.
    """
    data = _data(await request.read())
    if data.get("type") != type_:
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_TYPE", expected=type_)
    if id_ is not None and data.get("id", id_) != id_:
        raise invalid_field("id", INVALID, "The id is not that of the URL.")
    given = data.get("attributes", {})
    if not isinstance(given, dict):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_FORMAT")
    for name, value in given.items():
        if name not in known and value is not None:
            raise invalid_field(name[:100], INVALID, "There is no such attribute here.")
    return {name: value for name, value in given.items() if name in known}


def page_of(request: web.Request, default: int = DEFAULT_LIMIT) -> dict[str, Any]:
    """Which piece of a list is asked for. Raises ApiError, also for filters."""
    known = {"page[limit]": default, "page[offset]": 0}
    for name, text in request.query.items():
        if name not in known or not _NUMBER.fullmatch(text):
            raise invalid_field(name[:100], INVALID, "Lists take page[limit] and page[offset].")
        known[name] = int(text)
    limit, offset = known["page[limit]"], known["page[offset]"]
    if not 1 <= limit <= MAX_LIMIT or offset > MAX_OFFSET:
        raise invalid_field("page", INVALID, f"The limit is at most {MAX_LIMIT}.")
    return {"limit": limit, "skip": offset}


def _spend(request: web.Request, who: Principal, own: RateLimiter | None) -> None:
    """Count a request with both limiters. Raises RateLimited."""
    # The general one says nothing on answers: this dialect has headers of its own.
    general = request.config_dict.get(LIMITER)
    for limiter in (own, general):
        if limiter is None:
            continue
        allowance = limiter.take(who)
        if limiter is own:
            request[_ALLOWANCE] = allowance
        if not allowance.allowed:
            raise RateLimited(timedelta(seconds=allowance.reset_seconds))


def _check_headers(request: web.Request) -> None:
    if request.headers.get("X-Api-Version") != VERSION:
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_API_VERSION", supported=VERSION)
    accept = request.headers.get("Accept", "*/*")
    accepted = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if not accepted & _ACCEPTED:
        raise ApiError(HTTPStatus.NOT_ACCEPTABLE, "INVALID_ACCEPT_HEADER")
    if request.can_read_body and request.content_type not in TYPES:
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "INVALID_CONTENT_TYPE_HEADER")


def _data(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_JSON_BODY") from None
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_FORMAT")
    return data
