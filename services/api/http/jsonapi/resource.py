"""The declared description of a resource: parsing, rendering and filters all follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from services.api.domain.task import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from services.api.http.jsonapi.queries import Shape

T = TypeVar("T")
Id = Any
"""A UUID, or an integer where a resource has such ids."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

_NAIVE = len("2025-05-27T10:00:00.000000")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def parse_uuid(text: str) -> UUID | None:
    """The id that a client wrote in its usual form (RFC 9562 section 4); None if it is none."""
    return UUID(text) if _UUID.fullmatch(text) else None


@dataclass(frozen=True, kw_only=True)
class Attribute(Generic[T]):
    """One attribute.

    ``kind`` is the type of its JSON value, with msgspec constraints where it has any. ``read``
    takes the value from the object; None makes it write-only: it is in no answer. ``field`` is the
    core's field that a client's value goes to; None makes it read-only. ``invalid`` ends the
    sentence that refuses a wrong value. ``write`` makes the core's value of a client's, where it is
    another; ``optional`` leaves the attribute out of answers where it is null. What ``is_link`` is
    shown with the host where it is read as a path only.
    """

    name: str
    kind: Any
    read: Callable[[T], object] | None
    field: str | None = None
    invalid: str = "format is invalid"
    write: Callable[[Any], object] = lambda value: value
    optional: bool = False
    is_link: bool = False

    @property
    def max_length(self) -> int | None:
        """The most characters that its kind allows."""
        kind = msgspec.inspect.type_info(self.kind)
        either = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
        limits = (getattr(each, "max_length", None) for each in either)
        return next((limit for limit in limits if limit is not None), None)


@dataclass(frozen=True, kw_only=True)
class ToOne(Generic[T]):
    """A relationship to one resource of ``type``, or to none.

    ``linkage`` gives the id of the related resource, ``parse_id`` one of its text. ``field`` is the
    core's field that a client's choice goes to; None makes it read-only.
    """

    name: str
    type: str
    linkage: Callable[[T], Id | None]
    field: str | None = None
    parse_id: Callable[[str], Id | None] = parse_uuid

    @cached_property
    def segment(self) -> str:
        """Its name in a URL."""
        return _HUMP.sub("-", self.name).lower()

    @property
    def types(self) -> tuple[str, ...]:
        """Every type that it may lead to."""
        return (self.type,)

    def type_of(self, _: T) -> str:
        """The type at its other end."""
        return self.type

    def takes(self, type_: str) -> bool:
        """Whether a client may choose something by this name of its type."""
        return type_ == self.type

    def chosen(self, type_: str, id_: Any) -> object:
        """What a client's choice is to the core."""
        return Target(type_, id_)


@dataclass(frozen=True, kw_only=True)
class ToOneOf(ToOne[T]):
    """A relationship to one resource of several types; ``type`` is that of which there are most.

    ``kind`` gives the type at the other end. ``collections`` has the core's name of each type by
    every name that a client may give of it; ``choose`` makes the core's value of it and an id. It
    cannot be included.
    """

    others: tuple[str, ...]
    kind: Callable[[T], str]
    collections: Mapping[str, str]
    choose: Callable[[str, Any], object]

    @property
    def types(self) -> tuple[str, ...]:
        """Every type that it may lead to."""
        return (self.type, *self.others)

    def type_of(self, item: T) -> str:
        """The type at its other end."""
        return self.kind(item)

    def takes(self, type_: str) -> bool:
        """Whether a client may choose something by this name of its type."""
        return type_ in self.collections

    def chosen(self, type_: str, id_: Any) -> object:
        """What a client's choice is to the core."""
        return self.choose(self.collections[type_], id_)


@dataclass(frozen=True, kw_only=True)
class ToMany:
    """A relationship to resources of ``type`` that are listed at a URL of their own, read-only."""

    name: str
    type: str
    field: None = None

    @cached_property
    def segment(self) -> str:
        """Its name in a URL."""
        return _HUMP.sub("-", self.name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What can be asked of one resource besides a change, as POST to ``{id}/{name}``.

    ``verb`` is what it does. ``gives`` is the type of the new resource that answers; None is the
    resource itself.
    """

    name: str
    verb: str
    gives: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One ``filter[name]``: any of a comma list of values.

    ``parse`` gives the value to compare with, or None when nothing can match the text. ``field`` is
    the query's field that the set of values goes to. ``pattern`` is what a text has to look like.
    """

    name: str
    field: str
    parse: Callable[[str], object | None]
    pattern: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One name that ``sort`` takes; ``field`` is the core's name of that order."""

    name: str
    field: str


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[T]):
    """One type of resource, as clients see it.

    Every ToOne can be included. ``meta`` gives what is told about an object besides its attributes.
    ``version`` gives the number that grows with every change; a resource with one can be changed on
    condition (If-Match). ``required`` are the core's fields that a new one needs.
    ``has_report`` says whether an object has a validation report; its URL is then in ``meta``.
    ``links`` are what an object leads to besides itself, by name: URLs, or paths of this server.
    ``is_secret_when_new`` if a new one is told something that nothing on the way is to keep.
    ``parse_id`` makes an id of its text in a URL, None of what can be none; UUIDs by default.
    ``path`` is where it is served, by default at its type.
    """

    type: str
    id: Callable[[T], Id]
    attributes: tuple[Attribute[T], ...]
    relationships: tuple[ToOne[T], ...] = ()
    lists: tuple[ToMany, ...] = ()
    actions: tuple[Action, ...] = ()
    filters: tuple[Filter, ...] = ()
    sorts: tuple[Sort, ...] = ()
    meta: Callable[[T], Mapping[str, object]] | None = None
    version: Callable[[T], int] | None = None
    required: tuple[str, ...] = ()
    has_report: Callable[[T], bool] | None = None
    links: Callable[[T], Mapping[str, str]] | None = None
    is_secret_when_new: bool = False
    parse_id: Callable[[str], Id | None] = parse_uuid
    path: str = ""

    @property
    def segment(self) -> str:
        """Its name in a URL."""
        return self.path or self.type

    def shown(self, shape: Shape) -> Shown[T]:
        """Those of its fields that a document of this shape shows."""
        names = shape.fields.get(self.type)
        if names is None:
            return self._whole
        return Shown(
            tuple(pair for pair in self._whole.attributes if pair[0].name in names),
            tuple(each for each in self.relationships if each.name in names),
            tuple(each for each in self.lists if each.name in names),
        )

    @cached_property
    def _whole(self) -> Shown[T]:
        readable = tuple((each, each.read) for each in self.attributes if each.read is not None)
        return Shown(readable, self.relationships, self.lists)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names that ``fields[type]`` takes: attributes and relationships share a namespace."""
        attributes = {each.name for each in self.attributes if each.read}
        related = {each.name for each in self.relationships} | {each.name for each in self.lists}
        return frozenset(attributes | related)

    @cached_property
    def includes(self) -> Mapping[str, ToOne[T]]:
        """What ``include`` takes: each relationship by its name."""
        return {each.name: each for each in self.relationships if not isinstance(each, ToOneOf)}

    @cached_property
    def writable(self) -> Mapping[str, Attribute[T] | ToOne[T]]:
        """What a client may write, by the core's name of the field."""
        members: tuple[Attribute[T] | ToOne[T], ...] = (*self.attributes, *self.relationships)
        return {member.field: member for member in members if member.field}


class Shown(NamedTuple, Generic[T]):
    """Fields of a resource: attributes, each with how it is read, and relationships."""

    attributes: tuple[tuple[Attribute[T], Callable[[T], object]], ...]
    relationships: tuple[ToOne[T], ...]
    lists: tuple[ToMany, ...]


def label(name: str) -> str:
    """A member's name as words: ``secondaryIsrc`` is "secondary isrc"."""
    return _HUMP.sub(" ", name).lower()


def timestamp(moment: datetime) -> str:
    """A moment in UTC as ``2025-05-27T10:00:00.000000Z``."""
    return f"{moment.isoformat(timespec='microseconds')[:_NAIVE]}Z"
