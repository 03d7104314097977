"""The routes of a resource: each parses, calls one operation, renders."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Generic, TypeVar

from aiohttp import web

from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi import cursors
from services.api.http.jsonapi.conditions import condition_of, tagged
from services.api.http.jsonapi.errors import Error, JsonApiError, in_names_of
from services.api.http.jsonapi.includes import load_included
from services.api.http.jsonapi.media import accepted_profile, read_document, respond
from services.api.http.jsonapi.parameters import parse_query, parse_shape, reject_parameters
from services.api.http.jsonapi.parse import parse_change, parse_linkage, parse_new
from services.api.http.jsonapi.requests import addressed, options_of
from services.api.http.jsonapi.resource import label

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.operations import Act, Create, Delete, Served, Update
    from services.api.http.jsonapi.queries import Shape
    from services.api.http.jsonapi.resource import ToOne

T = TypeVar("T")


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
        who = request[PRINCIPAL]
        profile = accepted_profile(request, cursors.PROFILES)
        pairs, resources = request.query.items(), self._api.resources
        query = parse_query(self._resource, pairs, resources, by_cursor=profile is not None)
        page = await self._operations.list(who, query)
        included = await load_included(
            who, self._api.served, self._resource, page.items, query.shape
        )
        documents = self._api.documents(request)
        document = documents.collection(self._resource, page, query, included)
        response = respond(document, profile=profile if query.by_cursor else None)
        return tagged(request, response)

    async def _get(self, request: web.Request) -> web.Response:
        id_, shape = addressed(request), self._shape(request)
        return await self._show(request, await self._operations.get(request[PRINCIPAL], id_), shape)

    async def _create(self, create: Create[T], request: web.Request) -> web.Response:
        shape, options = self._shape(request), options_of(request)
        fields = parse_new(await read_document(request), self._resource, self._api.types)
        with in_names_of(self._resource):
            item = await create(request[PRINCIPAL], fields, options)
        location = {"Location": self._api.documents(request).url(self._resource, item)}
        return await self._show(request, item, shape, HTTPStatus.CREATED, location)

    async def _update(self, request: web.Request) -> web.Response:
        id_, shape = addressed(request), self._shape(request)
        update = self._updater(f"The {self._resource.type} resource is read-only.")
        document = await read_document(request)
        fields = parse_change(document, self._resource, id_, self._api.types)
        version = await self._expected(request, id_)
        with in_names_of(self._resource):
            item = await update(request[PRINCIPAL], id_, fields, version)
        return await self._show(request, item, shape)

    async def _delete(self, delete: Delete, request: web.Request) -> web.Response:
        id_ = addressed(request)
        reject_parameters(request.query)
        await delete(request[PRINCIPAL], id_, await self._expected(request, id_))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _act(self, act: Act[T], request: web.Request) -> web.Response:
        id_, shape, options = addressed(request), self._shape(request), options_of(request)
        version = await self._expected(request, id_)
        item = await act(request[PRINCIPAL], id_, version, options)
        return await self._show(request, item, shape)

    async def _related(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_, who, other = addressed(request), request[PRINCIPAL], self._api.served[to_one.type]
        shape = parse_shape(other.resource, request.query.items(), self._api.resources)
        item = await self._operations.get(who, id_)
        documents = self._api.documents(request)
        url = documents.relationship(self._resource, item, to_one)["related"]
        related = to_one.linkage(item)
        found = await other.operations.get(who, related) if related else None
        shown = [] if found is None else [found]
        included = await load_included(who, self._api.served, other.resource, shown, shape)
        target = None if found is None else (other.resource, found)
        document = documents.related(url, target, shape, included)
        version = other.resource.version if found is not None else None
        return tagged(request, respond(document), version(found) if version else None)

    async def _linkage(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_ = addressed(request)
        reject_parameters(request.query)
        return self._link(request, to_one, await self._operations.get(request[PRINCIPAL], id_))

    async def _relink(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_ = addressed(request)
        reject_parameters(request.query)
        read_only = f"The {label(to_one.name)} relationship is read-only."
        if to_one.field is None:
            raise JsonApiError(Error(HTTPStatus.FORBIDDEN, read_only))
        update = self._updater(read_only)
        document = await read_document(request)
        target = parse_linkage(document, self._resource, to_one, self._api.types)
        version = await self._expected(request, id_)
        with in_names_of(self._resource, pointer="/data"):
            item = await update(request[PRINCIPAL], id_, {to_one.field: target}, version)
        return self._link(request, to_one, item)

    def _shape(self, request: web.Request) -> Shape:
        return parse_shape(self._resource, request.query.items(), self._api.resources)

    def _updater(self, refusal: str) -> Update[T]:
        if self._operations.update is None:
            raise JsonApiError(Error(HTTPStatus.FORBIDDEN, refusal))
        return self._operations.update

    async def _expected(self, request: web.Request, id_: UUID) -> int | None:
        """The version that the client wants to change, None for any; raises if it is not there."""
        condition, version_of = condition_of(request), self._resource.version
        if condition is None or version_of is None:
            return None
        if condition.only is not None:
            return condition.only
        present = version_of(await self._operations.get(request[PRINCIPAL], id_))
        condition.check(present)
        return present

    async def _show(
        self,
        request: web.Request,
        item: T,
        shape: Shape,
        status: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        included = await load_included(
            request[PRINCIPAL], self._api.served, self._resource, [item], shape
        )
        document = self._api.documents(request).single(self._resource, item, shape, included)
        response = respond(document, status, headers)
        return tagged(request, response, self._version(item))

    def _link(self, request: web.Request, to_one: ToOne[T], item: T) -> web.Response:
        document = self._api.documents(request).linkage(self._resource, item, to_one)
        return tagged(request, respond(document), self._version(item))

    def _version(self, item: T) -> int | None:
        return None if self._resource.version is None else self._resource.version(item)
