"""The routes of a resource: each parses, calls one operation, renders."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from aiohttp import web

from services.api.domain.errors import NotFound
from services.api.domain.principal import Principal
from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.documents import Documents
from services.api.http.jsonapi.errors import Error, JsonApiError, in_names_of
from services.api.http.jsonapi.media import read_document, respond
from services.api.http.jsonapi.parse import (
    Members,
    parse_change,
    parse_id,
    parse_linkage,
    parse_new,
)
from services.api.http.jsonapi.queries import Query, parse_query, reject_parameters
from services.api.http.jsonapi.resource import label

if TYPE_CHECKING:
    from services.api.domain.page import Page
    from services.api.http.jsonapi.documents import Document
    from services.api.http.jsonapi.resource import Resource, ToOne

T = TypeVar("T")
Create = Callable[[Principal, Members], Awaitable[T]]
Update = Callable[[Principal, UUID, Members], Awaitable[T]]
Act = Callable[[Principal, UUID], Awaitable[T]]
Delete = Callable[[Principal, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations(Generic[T]):
    """What can be done with a resource; without create, update or delete it is read-only.

    ``create`` and ``update`` take the core's fields that the client gave. ``actions`` are
    operations of their own, as POST to ``{id}/{name}``.
    """

    list: Callable[[Principal, Query], Awaitable[Page[T]]]
    get: Act[T]
    create: Create[T] | None = None
    update: Update[T] | None = None
    delete: Delete | None = None
    actions: Mapping[str, Act[T]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A resource and what can be done with it."""

    resource: Resource[T]
    operations: Operations[T]


class Api:
    """All resources of one facade under one base URL."""

    def __init__(
        self, served: tuple[Served[Any], ...], prefix: str, public_url: str | None
    ) -> None:
        """Take the path to serve under and how links start: by default as the request's URL."""
        self.served = {each.resource.type: each for each in served}
        self.types = frozenset(self.served)
        self._prefix = prefix
        self._public_url = public_url

    def documents(self, request: web.Request) -> Documents:
        """The builder of documents with links for this client."""
        origin = self._public_url or f"{request.scheme}://{request.host}"
        return Documents(origin.rstrip("/") + self._prefix)

    def routes(self) -> list[web.RouteDef]:
        """Every route, relative to the prefix."""
        return [route for each in self.served.values() for route in Endpoints(self, each).routes()]


class Endpoints(Generic[T]):
    """The handlers of one resource."""

    def __init__(self, api: Api, served: Served[T]) -> None:
        """Serve one of the resources of an API."""
        self._api = api
        self._resource = served.resource
        self._operations = served.operations

    def routes(self) -> list[web.RouteDef]:
        """The routes that the operations make possible."""
        every, one = f"/{self._resource.type}", f"/{self._resource.type}/{{id}}"
        # JSON:API demands 403 for an unsupported update, so PATCH is always routed.
        routes = [web.get(every, self._list), web.get(one, self._get), web.patch(one, self._update)]
        if self._operations.create:
            routes.append(web.post(every, partial(self._create, self._operations.create)))
        if self._operations.delete:
            routes.append(web.delete(one, partial(self._delete, self._operations.delete)))
        for name, action in self._operations.actions.items():
            routes.append(web.post(f"{one}/{name}", partial(self._act, action)))
        for to_one in self._resource.relationships:
            routes += self._relationship_routes(one, to_one)
        return routes

    def _relationship_routes(self, one: str, to_one: ToOne[T]) -> list[web.RouteDef]:
        url = f"{one}/relationships/{to_one.segment}"
        return [
            web.get(f"{one}/{to_one.segment}", partial(self._related, to_one)),
            web.get(url, partial(self._linkage, to_one)),
            web.patch(url, partial(self._relink, to_one)),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        query = parse_query(self._resource, request.query.items())
        page = await self._operations.list(request[PRINCIPAL], query)
        return respond(self._api.documents(request).collection(self._resource, page, query))

    async def _get(self, request: web.Request) -> web.Response:
        return self._show(request, await self._found(request))

    async def _create(self, create: Create[T], request: web.Request) -> web.Response:
        reject_parameters(request.query)
        fields = parse_new(await read_document(request), self._resource, self._api.types)
        with in_names_of(self._resource):
            item = await create(request[PRINCIPAL], fields)
        location = self._api.documents(request).url(self._resource, item)
        return self._show(request, item, HTTPStatus.CREATED, {"Location": location})

    async def _update(self, request: web.Request) -> web.Response:
        id_ = _addressed(request)
        update = self._updater(f"The {self._resource.type} resource is read-only.")
        document = await read_document(request)
        fields = parse_change(document, self._resource, id_, self._api.types)
        with in_names_of(self._resource):
            return self._show(request, await update(request[PRINCIPAL], id_, fields))

    async def _delete(self, delete: Delete, request: web.Request) -> web.Response:
        await delete(request[PRINCIPAL], _addressed(request))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _act(self, act: Act[T], request: web.Request) -> web.Response:
        return self._show(request, await act(request[PRINCIPAL], _addressed(request)))

    async def _related(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        item = await self._found(request)
        documents = self._api.documents(request)
        found = await self._load(to_one, item, request)
        return respond(documents.related(self._resource, item, to_one, found))

    async def _linkage(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        return self._link(request, to_one, await self._found(request))

    async def _relink(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_ = _addressed(request)
        read_only = f"The {label(to_one.name)} relationship is read-only."
        if to_one.field is None:
            raise JsonApiError(Error(HTTPStatus.FORBIDDEN, read_only))
        update = self._updater(read_only)
        document = await read_document(request)
        target = parse_linkage(document, self._resource, to_one, self._api.types)
        with in_names_of(self._resource, pointer="/data"):
            item = await update(request[PRINCIPAL], id_, {to_one.field: target})
        return self._link(request, to_one, item)

    async def _found(self, request: web.Request) -> T:
        return await self._operations.get(request[PRINCIPAL], _addressed(request))

    async def _load(self, to_one: ToOne[T], item: T, request: web.Request) -> Document | None:
        """The related resource, rendered."""
        id_ = to_one.linkage(item)
        if id_ is None:
            return None
        served = self._api.served[to_one.type]
        found = await served.operations.get(request[PRINCIPAL], id_)
        return self._api.documents(request).resource(served.resource, found)

    def _updater(self, refusal: str) -> Update[T]:
        if self._operations.update is None:
            raise JsonApiError(Error(HTTPStatus.FORBIDDEN, refusal))
        return self._operations.update

    def _show(
        self,
        request: web.Request,
        item: T,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        document = self._api.documents(request).single(self._resource, item)
        return respond(document, status, headers)

    def _link(self, request: web.Request, to_one: ToOne[T], item: T) -> web.Response:
        return respond(self._api.documents(request).linkage(self._resource, item, to_one))


def _addressed(request: web.Request) -> UUID:
    """The id in the URL of a request about one resource, which takes no parameters.

    Raises NotFound for an id that no resource can have, JsonApiError 400 for any parameter.
    """
    text = request.match_info["id"]
    id_ = parse_id(text)
    if id_ is None:
        raise NotFound("resource", text)
    reject_parameters(request.query)
    return id_
