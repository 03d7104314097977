"""The route that makes download links of a record.

A link is a resource that is made and never read again: it has no URL in this API, and so neither a
self link nor a Location. JSON:API 1.0: https://jsonapi.org/format/1.0/#crud-creating
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from aiohttp import web

from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.errors import in_names_of
from services.api.http.jsonapi.media import read_document, respond
from services.api.http.jsonapi.parameters import reject_parameters
from services.api.http.jsonapi.parse import parse_new
from services.api.http.jsonapi.requests import addressed
from services.api.http.jsonapi.resource import Attribute, Resource
from services.api.use_cases.links import MAX_SECONDS, MIN_SECONDS

if TYPE_CHECKING:
    from services.api.domain.links import Link
    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.operations import MakeLink

LINKS: Resource[Link] = Resource(
    type="download-links",
    id=attrgetter("id"),
    attributes=(
        Attribute(
            name="ttlSeconds",
            kind=Annotated[float, msgspec.Meta(ge=MIN_SECONDS, le=MAX_SECONDS)],
            read=attrgetter("ttl_seconds"),
            field="ttl",
            invalid=f"must be a number of seconds from {MIN_SECONDS} to {MAX_SECONDS}",
        ),
        Attribute(name="url", kind=str, read=attrgetter("url")),
        Attribute(name="expiresAt", kind=datetime, read=attrgetter("expires_at")),
    ),
)


class Links:
    """The links of one resource's objects."""

    def __init__(self, api: Api, resource: Resource[Any], make: MakeLink) -> None:
        """Serve what ``make`` gives."""
        self._api = api
        self._resource = resource
        self._make = make

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post(f"/{self._resource.type}/{{id}}/{LINKS.type}", self._create)]

    async def _create(self, request: web.Request) -> web.Response:
        id_ = addressed(request)
        reject_parameters(request.query)
        fields = parse_new(await read_document(request), LINKS, self._api.types)
        with in_names_of(LINKS):
            link = await self._make(
                request[PRINCIPAL], id_, fields.get("ttl"), self._api.origin(request)
            )
        document = self._api.documents(request).unaddressed(LINKS, link)
        # It is a secret: nothing on the way is to keep it.
        return respond(document, HTTPStatus.CREATED, {"Cache-Control": "no-store"})
