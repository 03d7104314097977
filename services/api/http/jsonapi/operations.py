"""What can be done with a resource: the operations of the core behind its routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import UUID

from services.api.domain.links import Link
from services.api.domain.principal import Principal
from services.api.http.jsonapi.parse import Members
from services.api.use_cases.options import Options

if TYPE_CHECKING:
    from services.api.domain.page import Page
    from services.api.http.jsonapi.queries import Query
    from services.api.http.jsonapi.resource import Resource
    from services.api.use_cases.operations import Unit
    from services.api.use_cases.watching import Change

T = TypeVar("T")
Version = int | None
"""The version that a client expects; None for any."""

Create = Callable[[Principal, Members, Options], Awaitable[T]]
Update = Callable[[Principal, UUID, Members, Version], Awaitable[T]]
Act = Callable[[Principal, UUID, Version, Options], Awaitable[T]]
Delete = Callable[[Principal, UUID, Version], Awaitable[None]]
MakeLink = Callable[[Principal, UUID, object, str], Awaitable[Link]]
"""Takes how long the link is to last, in seconds, and how the client reaches this server."""
MakeSecret = Callable[[Principal, UUID, object, Version, Options], Awaitable[str]]
"""Takes how long the present one is still to sign, in seconds."""
ListAll = Callable[[Principal, "Query"], Awaitable["Page[T]"]]
ListOf = Callable[[Principal, UUID, "Query"], Awaitable["Page[Any]"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """The units of create, update and delete, to be run in one transaction with others."""

    creating: Callable[[Principal, Members], Unit]
    updating: Callable[[Principal, UUID, Members], Unit]
    deleting: Callable[[Principal, UUID], Unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Following(Generic[T]):
    """How one resource, or all of a tenant, can be followed.

    ``watch`` gives the resource now and at each change, until ``is_final``; ``changes`` gives all
    changes from now on, or after a cursor, and never ends.
    """

    watch: Callable[[Principal, UUID], AsyncGenerator[T, None]]
    is_final: Callable[[T], bool]
    changes: Callable[[Principal, str | None], AsyncGenerator[Change, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations(Generic[T]):
    """What can be done with a resource; without create, update or delete it is read-only.

    ``create`` and ``update`` take the core's fields that the client gave. ``actions`` and ``lists``
    are those that the resource declares, by name. ``report`` gives the JSON of a resource's
    validation report, ``link`` makes a link to its bytes, ``rotate`` gives it a new secret. What
    has no ``list`` is found by its id and below others only.
    """

    list: ListAll[T] | None = None
    get: Callable[[Principal, UUID], Awaitable[T]]
    create: Create[T] | None = None
    update: Update[T] | None = None
    delete: Delete | None = None
    actions: Mapping[str, Act[Any]] = field(default_factory=dict)
    lists: Mapping[str, ListOf] = field(default_factory=dict)
    units: Units | None = None
    following: Following[T] | None = None
    report: Callable[[Principal, UUID], Awaitable[bytes]] | None = None
    link: MakeLink | None = None
    rotate: MakeSecret | None = None


@dataclass(frozen=True, slots=True)
class Served(Generic[T]):
    """A resource and what can be done with it."""

    resource: Resource[T]
    operations: Operations[T]


Everything = Mapping[str, Served[Any]]
"""All that an API serves, by type."""
