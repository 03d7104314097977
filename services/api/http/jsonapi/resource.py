"""The declared description of a resource: parsing, rendering and filters all follow from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from uuid import UUID

T = TypeVar("T")

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, kw_only=True)
class Attribute(Generic[T]):
    """One attribute.

    ``kind`` is the type of its JSON value, with msgspec constraints where it has any. ``read``
    takes the value from the object; None makes it write-only: it is in no answer. ``field`` is the
    core's field that a client's value goes to; None makes it read-only. ``invalid`` ends the
    sentence that refuses a wrong value.
    """

    name: str
    kind: Any
    read: Callable[[T], object] | None
    field: str | None = None
    invalid: str = "format is invalid"

    @property
    def max_length(self) -> int | None:
        """The most characters that its kind allows."""
        return getattr(msgspec.inspect.type_info(self.kind), "max_length", None)


@dataclass(frozen=True, kw_only=True)
class ToOne(Generic[T]):
    """A relationship to one resource of ``type``, or to none.

    ``linkage`` gives the id of the related resource. ``field`` is the core's field that a client's
    choice goes to; None makes it read-only.
    """

    name: str
    type: str
    linkage: Callable[[T], UUID | None]
    field: str | None = None

    @property
    def segment(self) -> str:
        """Its name in a URL."""
        return _HUMP.sub("-", self.name).lower()


@dataclass(frozen=True, kw_only=True)
class ToMany:
    """A relationship to resources of ``type`` that are listed at a URL of their own, read-only."""

    name: str
    type: str
    field: None = None

    @property
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
    the query's field that the set of values goes to.
    """

    name: str
    field: str
    parse: Callable[[str], object | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One name that ``sort`` takes; ``field`` is the core's name of that order."""

    name: str
    field: str


@dataclass(frozen=True, kw_only=True)
class Resource(Generic[T]):
    """One type of resource, as clients see it.

    Every relationship to one can be included. ``meta`` gives what is told about an object besides
    its attributes. ``version`` gives the number that grows with every change; a resource with one
    can be changed on condition (If-Match). ``required`` are the core's fields that a new one needs.
    ``has_report`` says whether an object has a validation report; its URL is then in ``meta``.
    ``is_secret_when_new`` if a new one is told something that nothing on the way is to keep.
    """

    type: str
    id: Callable[[T], UUID]
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
    is_secret_when_new: bool = False

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names that ``fields[type]`` takes: attributes and relationships share a namespace."""
        attributes = {each.name for each in self.attributes if each.read}
        related = {each.name for each in self.relationships} | {each.name for each in self.lists}
        return frozenset(attributes | related)

    @cached_property
    def includes(self) -> Mapping[str, ToOne[T]]:
        """What ``include`` takes: each relationship by its name."""
        return {each.name: each for each in self.relationships}

    @cached_property
    def writable(self) -> Mapping[str, Attribute[T] | ToOne[T]]:
        """What a client may write, by the core's name of the field."""
        members: tuple[Attribute[T] | ToOne[T], ...] = (*self.attributes, *self.relationships)
        return {member.field: member for member in members if member.field}


def label(name: str) -> str:
    """A member's name as words: ``secondaryIsrc`` is "secondary isrc"."""
    return _HUMP.sub(" ", name).lower()


def timestamp(moment: datetime) -> str:
    """A moment in UTC as ``2025-05-27T10:00:00.000000Z``."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
