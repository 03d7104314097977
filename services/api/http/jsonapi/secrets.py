"""The route that gives a resource a new secret.

The answer alone has it: like a download link it has no URL in this API to be read again at.
JSON:API 1.0: https://jsonapi.org/format/1.0/#crud-creating
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
from aiohttp import web

from services.api.domain.subscriptions import ROTATION
from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.conditions import expected_version
from services.api.http.jsonapi.errors import in_names_of
from services.api.http.jsonapi.media import read_document, respond
from services.api.http.jsonapi.parameters import reject_parameters
from services.api.http.jsonapi.parse import parse_new
from services.api.http.jsonapi.requests import addressed, options_of
from services.api.http.jsonapi.resource import Attribute, Resource
from services.api.use_cases.subscriptions import MAX_OVERLAP_SECONDS

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.operations import MakeSecret, Served

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Secret:
    """The new secret of the resource with this id, and how long the one before signs as well."""

    id: UUID
    text: str = field(repr=False)
    overlap_seconds: float


SECRETS: Resource[Secret] = Resource(
    type="secrets",
    id=attrgetter("id"),
    attributes=(
        Attribute(
            name="overlapSeconds",
            kind=Annotated[float, msgspec.Meta(ge=0, le=MAX_OVERLAP_SECONDS)],
            read=attrgetter("overlap_seconds"),
            field="overlap",
            invalid=f"must be a number of seconds from 0 to {MAX_OVERLAP_SECONDS}",
        ),
        Attribute(name="secret", kind=str, read=attrgetter("text")),
    ),
)


class Secrets(Generic[T]):
    """The secrets of one resource's objects."""

    def __init__(self, api: Api, served: Served[T], make: MakeSecret) -> None:
        """Serve what ``make`` gives."""
        self._api = api
        self._served = served
        self._make = make

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post(f"/{self._served.resource.type}/{{id}}/{SECRETS.type}", self._create)]

    async def _create(self, request: web.Request) -> web.Response:
        id_, options = addressed(request), options_of(request)
        reject_parameters(request.query)
        document = await read_document(request)
        overlap: Any = parse_new(document, SECRETS, self._api.types).get("overlap")
        resource, get = self._served.resource, self._served.operations.get
        version = await expected_version(request, resource, get, id_)
        with in_names_of(SECRETS):
            text = await self._make(request[PRINCIPAL], id_, overlap, version, options)
        seconds = ROTATION.total_seconds() if overlap is None else overlap
        shown = self._api.documents(request).unaddressed(SECRETS, Secret(id_, text, seconds))
        # Nothing on the way is to keep it.
        return respond(shown, HTTPStatus.CREATED, {"Cache-Control": "no-store"})
