"""The routes by which resources are followed: one by itself, all of a tenant together."""

from __future__ import annotations

from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import web

from services.api.domain.errors import InvalidQuery, NotFound
from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.events import EVENT_STREAM, Event
from services.api.http.jsonapi.media import speaks
from services.api.http.jsonapi.parameters import reject_parameters
from services.api.http.jsonapi.requests import addressed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from services.api.http.jsonapi.api import Api
    from services.api.http.jsonapi.events import Streams
    from services.api.http.jsonapi.operations import Following
    from services.api.http.jsonapi.resource import Resource

T = TypeVar("T")
LAST_EVENT_ID = "Last-Event-ID"
DELETED = "deleted"


class Feeds(Generic[T]):
    """The streams of one resource."""

    def __init__(
        self, api: Api, resource: Resource[T], following: Following[T], streams: Streams
    ) -> None:
        """Serve what can be followed as long as the streams run."""
        self._api = api
        self._resource = resource
        self._following = following
        self._streams = streams

    def routes(self) -> list[web.RouteDef]:
        """The routes of one resource and of all."""
        return [
            web.get(f"/{self._resource.type}/{{id}}/events", self._one, allow_head=False),
            web.get("/events", self._all, allow_head=False),
        ]

    @speaks(EVENT_STREAM)
    async def _one(self, request: web.Request) -> web.StreamResponse:
        """The resource now and at each change, until it is final."""
        id_ = addressed(request)
        reject_parameters(request.query)
        states = self._following.watch(request[PRINCIPAL], id_)
        async with aclosing(states):
            first = await anext(states)
            ended = self._following.is_final(first)
            if ended and request.headers.get(LAST_EVENT_ID) == self._version(first):
                # The only answer after which a client does not come back for more.
                return web.Response(status=HTTPStatus.NO_CONTENT)
            events = self._states(request, id_, first, states)
            return await self._streams.serve(request, events)

    @speaks(EVENT_STREAM)
    async def _all(self, request: web.Request) -> web.StreamResponse:
        """All changes from now on, or after the event that the client saw last."""
        reject_parameters(request.query)
        events = self._changes(request, request.headers.get(LAST_EVENT_ID))
        return await self._streams.serve(request, events)

    async def _states(
        self, request: web.Request, id_: UUID, first: T, later: AsyncGenerator[T, None]
    ) -> AsyncGenerator[Event, None]:
        yield self._event(request, first)
        version = self._version(first)
        try:
            async for item in later:
                version = self._version(item)
                yield self._event(request, item)
        except NotFound:
            yield self._gone(id_, version)

    async def _changes(
        self, request: web.Request, cursor: str | None
    ) -> AsyncGenerator[Event, None]:
        changes = self._following.changes(request[PRINCIPAL], cursor)
        try:
            async with aclosing(changes):
                async for change in changes:
                    item: Any = change.task
                    if change.deleted:
                        yield self._gone(change.task_id, change.cursor)
                    else:
                        yield Event(change.cursor, self._document(request, item))
        except InvalidQuery as refusal:
            raise JsonApiError(Error(400, refusal.detail, header=LAST_EVENT_ID)) from refusal

    def _event(self, request: web.Request, item: T) -> Event:
        return Event(self._version(item), self._document(request, item))

    def _document(self, request: web.Request, item: T) -> dict[str, object]:
        return self._api.documents(request).single(self._resource, item)

    def _gone(self, id_: UUID, event_id: str) -> Event:
        return Event(event_id, {"data": {"type": self._resource.type, "id": str(id_)}}, DELETED)

    def _version(self, item: T) -> str:
        version_of = self._resource.version
        return "" if version_of is None else str(version_of(item))
