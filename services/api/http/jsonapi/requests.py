"""What every handler reads of a request besides its document and parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.domain.errors import NotFound
from services.api.http.idempotency import HEADER, WRONG, read_options
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.parse import parse_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from services.api.http.jsonapi.resource import Id
    from services.api.use_cases.options import Options


def addressed(request: web.Request, parse: Callable[[str], Id | None] = parse_id) -> Any:
    """The id in the URL of a request; raises NotFound for one that no resource can have."""
    text = request.match_info["id"]
    id_ = parse(text)
    if id_ is None:
        raise NotFound("resource", text)
    return id_


def options_of(request: web.Request) -> Options:
    """How a request wants to be done; raises JsonApiError 400 for a key that cannot be kept."""
    options = read_options(request.headers)
    if options is None:
        raise JsonApiError(Error(400, WRONG, header=HEADER))
    return options
