"""What every handler reads of a request besides its document and parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.api.domain.errors import NotFound
from services.api.http.jsonapi.errors import IDEMPOTENCY_KEY, Error, JsonApiError
from services.api.http.jsonapi.parse import parse_id
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from uuid import UUID

    from aiohttp import web

_KEY = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)


def addressed(request: web.Request) -> UUID:
    """The id in the URL of a request; raises NotFound for one that no resource can have."""
    text = request.match_info["id"]
    id_ = parse_id(text)
    if id_ is None:
        raise NotFound("resource", text)
    return id_


def options_of(request: web.Request) -> Options:
    """How a request wants to be done; raises JsonApiError 400 for a key that cannot be kept."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return AT_ONCE
    if not _KEY.fullmatch(key):
        detail = "The idempotency key must have 1 to 255 printable ASCII characters."
        raise JsonApiError(Error(400, detail, header=IDEMPOTENCY_KEY))
    return Options(key=key)
