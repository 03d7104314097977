"""The routes of a resource: each parses, calls one operation, renders."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import web

from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi import cursors
from services.api.http.jsonapi.conditions import expected_version, tagged
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

    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.operations import Create, Delete, ListAll, Served, Update
    from services.api.http.jsonapi.queries import Query, Shape
    from services.api.http.jsonapi.resource import Action, Resource, ToMany, ToOne

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
        every, one = f"/{self._resource.segment}", f"/{self._resource.segment}/{{id}}"
        # JSON:API demands 403 for an unsupported update, so PATCH is always routed.
        routes = [web.get(one, self._get), web.patch(one, self._update)]
        if self._operations.list:
            routes.append(web.get(every, partial(self._list, self._operations.list)))
        if self._operations.create:
            routes.append(web.post(every, partial(self._create, self._operations.create)))
        if self._operations.delete:
            routes.append(web.delete(one, partial(self._delete, self._operations.delete)))
        routes += [
            web.post(f"{one}/{action.name}", partial(self._act, action))
            for action in self._resource.actions
        ]
        routes += [
            web.get(f"{one}/{to_many.segment}", partial(self._below, to_many))
            for to_many in self._resource.lists
        ]
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

    async def _list(self, list_: ListAll[T], request: web.Request) -> web.Response:
        url = self._api.documents(request).every(self._resource)
        return await self._page(request, self._resource, url, list_)

    async def _below(self, to_many: ToMany, request: web.Request) -> web.Response:
        id_, other = self._addressed(request), self._api.resources[to_many.type]
        url = self._api.documents(request).below(self._resource, id_, to_many)

        async def list_(who: Principal, query: Query) -> Page[Any]:
            return await self._operations.lists[to_many.name](who, id_, query)

        return await self._page(request, other, url, list_)

    async def _page(
        self, request: web.Request, resource: Resource[Any], url: str, list_: ListAll[Any]
    ) -> web.Response:
        who = request[PRINCIPAL]
        dialect, profile = self._api.dialect, accepted_profile(request, cursors.PROFILES)
        pairs, resources = request.query.items(), self._api.resources
        by_cursor = profile is not None
        query = parse_query(resource, pairs, resources, by_cursor=by_cursor, dialect=dialect)
        page = await list_(who, query)
        included = await load_included(who, self._api.served, resource, page.items, query.shape)
        documents = self._api.documents(request)
        document = documents.collection(resource, page, query, included, url)
        response = respond(document, profile=profile if query.by_cursor else None)
        return tagged(request, response)

    async def _get(self, request: web.Request) -> web.Response:
        id_, shape = self._addressed(request), self._shape(request)
        return await self._show(request, await self._operations.get(request[PRINCIPAL], id_), shape)

    async def _create(self, create: Create[T], request: web.Request) -> web.Response:
        shape, options = self._shape(request), options_of(request)
        document, is_strict = await read_document(request), self._api.dialect.is_strict
        fields = parse_new(document, self._resource, self._api.types, is_strict=is_strict)
        with in_names_of(self._resource):
            item = await create(request[PRINCIPAL], fields, options)
        headers = {"Location": self._api.documents(request).url(self._resource, item)}
        if self._resource.is_secret_when_new:
            headers["Cache-Control"] = "no-store"
        return await self._show(request, item, shape, HTTPStatus.CREATED, headers=headers)

    async def _update(self, request: web.Request) -> web.Response:
        id_, shape = self._addressed(request), self._shape(request)
        update = self._updater(f"The {self._resource.type} resource is read-only.")
        document = await read_document(request)
        fields = parse_change(document, self._resource, id_, self._api.types)
        version = await self._expected(request, id_)
        with in_names_of(self._resource):
            item = await update(request[PRINCIPAL], id_, fields, version)
        return await self._show(request, item, shape)

    async def _delete(self, delete: Delete, request: web.Request) -> web.Response:
        id_ = self._addressed(request)
        reject_parameters(request.query)
        await delete(request[PRINCIPAL], id_, await self._expected(request, id_))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _act(self, action: Action, request: web.Request) -> web.Response:
        gives = self._api.resources[action.gives or self._resource.type]
        id_, shape, options = (
            self._addressed(request),
            self._shape(request, gives),
            options_of(request),
        )
        version = await self._expected(request, id_)
        act = self._operations.actions[action.name]
        item = await act(request[PRINCIPAL], id_, version, options)
        if action.gives is None:
            return await self._show(request, item, shape)
        headers = {"Location": self._api.documents(request).url(gives, item)}
        return await self._show(
            request, item, shape, HTTPStatus.CREATED, headers=headers, resource=gives
        )

    async def _related(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_, who = self._addressed(request), request[PRINCIPAL]
        item = await self._operations.get(who, id_)
        other = self._api.served[to_one.type_of(item)]
        shape = parse_shape(other.resource, request.query.items(), self._api.resources)
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
        id_ = self._addressed(request)
        reject_parameters(request.query)
        return self._link(request, to_one, await self._operations.get(request[PRINCIPAL], id_))

    async def _relink(self, to_one: ToOne[T], request: web.Request) -> web.Response:
        id_ = self._addressed(request)
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

    def _addressed(self, request: web.Request) -> Any:
        return addressed(request, self._resource.parse_id)

    def _shape(self, request: web.Request, resource: Resource[Any] | None = None) -> Shape:
        shown = resource or self._resource
        return parse_shape(shown, request.query.items(), self._api.resources)

    def _updater(self, refusal: str) -> Update[T]:
        if self._operations.update is None:
            raise JsonApiError(Error(HTTPStatus.FORBIDDEN, refusal))
        return self._operations.update

    async def _expected(self, request: web.Request, id_: UUID) -> int | None:
        return await expected_version(request, self._resource, self._operations.get, id_)

    async def _show(
        self,
        request: web.Request,
        item: Any,
        shape: Shape,
        status: int = HTTPStatus.OK,
        *,
        headers: Mapping[str, str] | None = None,
        resource: Resource[Any] | None = None,
    ) -> web.Response:
        """One of this type, or of another."""
        shown = resource or self._resource
        included = await load_included(request[PRINCIPAL], self._api.served, shown, [item], shape)
        document = self._api.documents(request).single(shown, item, shape, included)
        response = respond(document, status, headers)
        return tagged(request, response, shown.version(item) if shown.version else None)

    def _link(self, request: web.Request, to_one: ToOne[T], item: T) -> web.Response:
        document = self._api.documents(request).linkage(self._resource, item, to_one)
        return tagged(request, respond(document), self._version(item))

    def _version(self, item: T) -> int | None:
        return None if self._resource.version is None else self._resource.version(item)
