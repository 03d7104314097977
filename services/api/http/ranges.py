"""Which bytes of a file a request wants (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import ETag

from services.api.domain.errors import EtagMismatch
from services.api.http.jsonapi.errors import Error, JsonApiError

if TYPE_CHECKING:
    from aiohttp import web

_ANY = "*"
# One range; several may be answered with the whole (section 14.2), and nobody needs them here.
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """What is answered: 200 or 206 with the bytes from ``start`` to before ``end``, or 304."""

    status: int
    start: int = 0
    end: int = 0


def wanted(request: web.Request, tag: str, size: int) -> Part:
    """What a GET or HEAD wants of ``size`` bytes whose strong entity tag, without quotes, is this.

    Conditions come in the order of section 13.2.2. There is no date of modification: conditions
    with dates hold back nothing, and in If-Range no date matches. Raises EtagMismatch for 412 and
    JsonApiError for 416.
    """
    only, unless = request.if_match, request.if_none_match
    if only is not None and not {ETag(_ANY), ETag(tag)} & {*only}:
        raise EtagMismatch
    if unless is not None and {_ANY, tag} & {each.value for each in unless}:
        return Part(HTTPStatus.NOT_MODIFIED)
    if request.headers.get("If-Range", f'"{tag}"') != f'"{tag}"':
        return Part(HTTPStatus.OK, 0, size)
    return _part(request.headers.get("Range", ""), size)


def _part(header: str, size: int) -> Part:
    """The part that a Range header selects; one that makes no sense is as if it were not there."""
    match = _RANGE.fullmatch(header)
    first, last = match.groups() if match else ("", "")
    is_backwards = first and last and int(last) < int(first)
    if is_backwards or not (first or last):
        return Part(HTTPStatus.OK, 0, size)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        error = Error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The file ends before the range.")
        raise JsonApiError(error, headers={"Content-Range": f"bytes */{size}"})
    return Part(HTTPStatus.PARTIAL_CONTENT, start, end)
