"""The catalogue as JSON:API beside what a facade is about: each noun from its declaration."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from services.api.domain.nouns import (
    MAX_INDEX,
    MAX_ORGANIZATION_INDEX,
    MAX_PATH,
    MAX_SUPPORT_NUMBER,
    MAX_TITLE,
    NOUNS,
    I,
)
from services.api.domain.queries import ItemQuery
from services.api.http.jsonapi.operations import Operations, Served, Units
from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.resource import Attribute, Filter, Resource, Sort, ToOne
from services.api.use_cases.covers import cover_of
from services.api.use_cases.fields import MAX_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.api.domain.catalogue import Track
    from services.api.domain.nouns import Noun
    from services.api.use_cases.covers import Covers
    from services.api.use_cases.items import Items
    from services.api.use_cases.use_cases import UseCases

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def _title(name: str, field: str) -> Attribute[Any]:
    return Attribute(
        name=name,
        kind=Annotated[str, msgspec.Meta(max_length=MAX_TITLE)],
        read=attrgetter(field),
        field=field,
        invalid="must be printable text",
    )


def _text(name: str, field: str, limit: int) -> Attribute[Any]:
    return Attribute(
        name=name,
        kind=Annotated[str, msgspec.Meta(max_length=limit)] | None,
        read=attrgetter(field),
        field=field,
        invalid="must be printable text",
    )


def _stereo_seconds(track: Track) -> float | None:
    return None if track.stereo_duration is None else track.stereo_duration.total_seconds()


_FIELDS: Mapping[str, Attribute[Any]] = {
    "title": _title("title", "title"),
    "display_name": _title("name", "display_name"),
    "isrc": Attribute(name="isrc", kind=str | None, read=attrgetter("isrc"), field="isrc"),
    "stereo_duration": Attribute(
        name="durationSeconds",
        kind=Annotated[float, msgspec.Meta(gt=0, le=MAX_SECONDS)] | None,
        read=_stereo_seconds,
        field="stereo_duration",
        invalid="must be a number of seconds, over 0 and at most a day",
    ),
    "support_number": _text("supportNumber", "support_number", MAX_SUPPORT_NUMBER),
    "index": _text("index", "index", MAX_INDEX),
    "path": _text("path", "path", MAX_PATH),
    "organization_index": _text("organizationIndex", "organization_index", MAX_ORGANIZATION_INDEX),
    "metadata": Attribute(
        name="metadata",
        kind=dict[str, Any] | None,
        read=attrgetter("metadata"),
        field="metadata",
        invalid="must be an object of moderate size",
    ),
}
"""By the core's name."""
_FIRST = ("title", "display_name", "isrc")
_TIMES: tuple[Attribute[Any], ...] = (
    Attribute(name="createdAt", kind=datetime, read=attrgetter("created_at")),
    Attribute(name="updatedAt", kind=datetime, read=attrgetter("updated_at")),
)
_NUMBER_OF: Attribute[Any] = Attribute(name="number", kind=int | None, read=attrgetter("number"))


def _cover(_: Any) -> str | None:
    """Where a cover can be seen, once ``with_covers`` has said how."""


def _thumbnail(_: Any) -> str | None:
    """The same of its thumbnail."""


_COVERS: tuple[Attribute[Any], ...] = (
    Attribute(name="coverUrl", kind=str | None, read=_cover, is_link=True),
    Attribute(name="coverThumbnailUrl", kind=str | None, read=_thumbnail, is_link=True),
)


def _number(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) else None


def _resource(noun: Noun[I]) -> Resource[I]:
    names = [each.name for each in noun.fields]
    return Resource(
        type=_HUMP.sub("-", noun.collection).lower(),
        id=attrgetter("id"),
        attributes=(
            *(_FIELDS[name] for name in names if name in _FIRST),
            *_TIMES,
            *(_FIELDS[name] for name in names if name not in _FIRST),
            _NUMBER_OF,
            *(_COVERS if noun.has_cover else ()),
        ),
        relationships=tuple(
            ToOne(name=each.name, type=each.to, linkage=attrgetter(each.attribute), field=each.name)
            for each in noun.references
        ),
        filters=(
            Filter(name="id", field="ids", parse=parse_id),
            Filter(name="number", field="numbers", parse=_number),
            *(
                Filter(name=f"{each.name}-id", field=each.name, parse=parse_id)
                for each in noun.references
            ),
        ),
        sorts=(
            Sort(name="createdAt", field="created_at"),
            Sort(name="updatedAt", field="updated_at"),
        ),
        version=attrgetter("version"),
        required=noun.required,
    )


RESOURCES: Mapping[str, Resource[Any]] = {noun.collection: _resource(noun) for noun in NOUNS}
"""By collection."""


def with_covers(resource: Resource[I], covers: Covers) -> Resource[I]:
    """The same with links to covers, if it has some."""

    def read(attribute: Attribute[I]) -> Callable[[I], object] | None:
        if attribute.read is _cover:
            return lambda item: covers.link(cover_of(item)) or None
        if attribute.read is _thumbnail:
            return lambda item: covers.link(cover_of(item), thumbnail=True) or None
        return attribute.read

    return replace(
        resource, attributes=tuple(replace(each, read=read(each)) for each in resource.attributes)
    )


def served(use_cases: UseCases) -> tuple[Served[Any], ...]:
    """All nouns, with what can be done with them."""
    return tuple(
        Served(with_covers(RESOURCES[collection], use_cases.covers), _operations(items))
        for collection, items in use_cases.catalogue.items()
    )


def _operations(items: Items[I]) -> Operations[I]:
    return Operations(
        list=lambda who, query: items.list(who, ItemQuery(**query.slice_)),
        get=items.get,
        create=lambda who, fields, options: items.create(who, fields, options=options),
        update=lambda who, id_, fields, version: items.update(who, id_, fields, version=version),
        delete=lambda who, id_, version: items.delete(who, id_, version=version),
        units=Units(creating=items.creating, updating=items.updating, deleting=items.deleting),
    )
