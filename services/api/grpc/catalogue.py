"""The services of the catalogue: the same five methods for every noun, from its declaration.

Each service is that of the contract; what its messages hold is read from their descriptors.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass

from services.api.domain.nouns import I, Kind
from services.api.domain.queries import ItemQuery
from services.api.domain.task import Target
from services.api.grpc.caller import caller
from services.api.grpc.etags import etag_of, expected
from services.api.grpc.filters import ids, numbers, parse_filter
from services.api.grpc.masks import masked, populated
from services.api.grpc.messages import duration, metadata, struct, timestamp
from services.api.grpc.names import name_of, require
from services.api.grpc.options import options
from services.api.grpc.paging import cut, total
from services.api.use_cases.covers import cover_of
from stagedoor.v1 import (
    asset_attachment_service_pb2,
    collection_service_pb2,
    creator_service_pb2,
    distributor_service_pb2,
    product_service_pb2,
    track_service_pb2,
    video_service_pb2,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.message import Message
    from grpc import aio

    from services.api.domain.nouns import Field, Noun
    from services.api.grpc.surround import Context
    from services.api.use_cases.covers import Covers
    from services.api.use_cases.items import Fields, Items

ORDERS: Final = ("create_time", "update_time")
FILES: Final = (
    distributor_service_pb2,
    product_service_pb2,
    track_service_pb2,
    video_service_pb2,
    asset_attachment_service_pb2,
    collection_service_pb2,
    creator_service_pb2,
)
SERVICES: Final[Mapping[str, ServiceDescriptor]] = {
    service.name.removesuffix("Service"): service
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
}
"""By the name of the noun's type."""


def add_services(server: aio.Server, catalogue: Iterable[Items[Any]], covers: Covers) -> None:
    """Serve these nouns' items as the contract says; KeyError for a noun without a service."""
    for items in catalogue:
        service = SERVICES[items.noun.type.__name__]
        handlers = ItemServicer(items, service, covers).handlers()
        handler = grpc.method_handlers_generic_handler(service.full_name, handlers)
        server.add_generic_rpc_handlers((handler,))


class ItemServicer(Generic[I]):
    """The items of one noun over gRPC; raises refusals, which the interceptors render."""

    def __init__(self, items: Items[I], service: ServiceDescriptor, covers: Covers) -> None:
        """Serve these items at the methods of this service."""
        self._items = items
        self._covers = covers
        self._noun = items.noun
        self._service = service
        self._field = items.noun.words.replace(" ", "_")
        self._writable = _writable(items.noun)

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """What answers each method of the service; KeyError for one that is not standard."""
        verbs = {
            "List": self._list,
            "Get": self._get,
            "Create": self._create,
            "Update": self._update,
            "Delete": self._delete,
        }
        return {
            method.name: grpc.unary_unary_rpc_method_handler(
                verbs[method.name.partition(self._noun.type.__name__)[0]],
                request_deserializer=GetMessageClass(method.input_type).FromString,
                response_serializer=GetMessageClass(method.output_type).SerializeToString,
            )
            for method in self._service.methods
        }

    async def _list(self, request: Any, _: Context) -> Any:
        who, noun = caller(), self._noun
        # A list without a filter has the same tokens as before there was one.
        by = (request.filter,) if request.filter else ()
        piece = cut(request, ORDERS, who.tenant, noun.collection, *by)
        page = await self._items.list(who, _query(noun, request.filter, **piece.slice_))
        items = {f"{self._field}s": [self.message(item) for item in page.items]}
        return self._class(f"List{noun.type.__name__}sResponse")(
            **items, next_page_token=piece.next_token(page), total_size=total(page)
        )

    async def _get(self, request: Any, _: Context) -> Any:
        id_ = require(request.name, self._noun.collection)
        return self.message(await self._items.get(caller(), id_))

    async def _create(self, request: Any, _: Context) -> Any:
        given = getattr(request, self._field)
        fields = new_item(self._noun, given)
        item = await self._items.create(caller(), fields, options=options(request))
        return self.message(item)

    async def _update(self, request: Any, _: Context) -> Any:
        given = getattr(request, self._field)
        id_ = require(given.name, self._noun.collection)
        fields = _fields(self._noun, given, masked(given, request.update_mask, self._writable))
        item = await self._items.update(
            caller(), id_, fields, version=expected(given.etag), options=options(request)
        )
        return self.message(item)

    async def _delete(self, request: Any, _: Context) -> Empty:
        id_ = require(request.name, self._noun.collection)
        await self._items.delete(caller(), id_, version=expected(request.etag))
        return Empty()

    def _class(self, name: str) -> Any:
        """A message of the service's file."""
        return GetMessageClass(self._service.file.message_types_by_name[name])

    def message(self, item: I) -> Any:
        """The item as clients see it."""
        values = {each.name: getattr(item, each.name) for each in self._noun.fields}
        for each in self._noun.references:
            id_ = getattr(item, each.attribute)
            values[each.name] = id_ and name_of(each.to, id_)
        if self._noun.has_cover:
            values["cover_uri"] = self._covers.link(cover_of(item))
            values["cover_thumbnail_uri"] = self._covers.link(cover_of(item), thumbnail=True)
        return self._class(self._noun.type.__name__)(
            name=name_of(self._noun.collection, item.id),
            number=item.number,
            create_time=timestamp(item.created_at),
            update_time=timestamp(item.updated_at),
            etag=etag_of(item.version),
            **{name: _shown(value) for name, value in values.items()},
        )


def new_item(noun: Noun[Any], given: Message) -> Fields:
    """What a request says of a new item. Raises InvalidFields."""
    return _fields(noun, given, populated(given, _writable(noun)))


def _writable(noun: Noun[Any]) -> tuple[str, ...]:
    return (*(each.name for each in noun.fields), *(each.name for each in noun.references))


def _fields(noun: Noun[Any], given: Message, paths: Collection[str]) -> Fields:
    """The values of these paths, in the core's words. Raises InvalidFields."""
    fields: Fields = {each.name: _value(given, each) for each in noun.fields if each.name in paths}
    for each in noun.references:
        if each.name in paths:
            name = getattr(given, each.name)
            fields[each.name] = Target(each.to, require(name, each.to, each.name)) if name else None
    return fields


def _shown(value: object) -> object:
    match value:
        case timedelta():
            return duration(value)
        case dict():
            return struct(value)
        case _:
            return value


def _value(given: Message, field: Field) -> object:
    """What a request says of a field, in the core's words; None for nothing."""
    value = getattr(given, field.name)
    match field.kind:
        case Kind.SECONDS if given.HasField(field.name):
            return value.seconds + value.nanos / 1e9
        case Kind.OBJECT if given.HasField(field.name):
            return metadata(value)
        case Kind.SECONDS | Kind.OBJECT:
            return None
        case _:
            return value or None


def _query(noun: Noun[Any], filter_: str, **piece: Any) -> ItemQuery:
    references = {each.name: each.to for each in noun.references}
    wanted = parse_filter(filter_, ("name", "number", *references))
    linked: Any = {name: ids(wanted.get(name), to) for name, to in references.items()}
    return ItemQuery(
        ids=ids(wanted.get("name"), noun.collection),
        numbers=numbers(wanted.get("number")),
        **linked,
        **piece,
    )
