"""Parameters of operations: what a resource's declaration says can be asked for.

https://spec.openapis.org/oas/v3.1.0#parameter-object
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.api.http.idempotency import HEADER as IDEMPOTENCY_KEY
from services.api.http.jsonapi.parameters import MAX_NUMBER
from services.api.http.jsonapi.queries import DEFAULT_SIZE
from services.api.http.openapi.schemas import id_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.api.http.jsonapi.dialect import Dialect
    from services.api.http.jsonapi.resource import Filter, Resource
    from services.api.http.openapi.schemas import Json

IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "Answer 304 if what is asked for still has this ETag (RFC 9110 section 13.1.2).",
    "schema": {"type": "string"},
}
IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "description": "Answer 412 unless the resource has this ETag (RFC 9110 section 13.1.1).",
    "schema": {"type": "string"},
}
# Spaces around the value of a header are no part of it (RFC 9110 section 5.5).
_PRINTABLE = "^[!-~]([ -~]*[!-~])?$"
KEY: Json = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "description": "Within 24 hours the same key with the same request gets the same answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": _PRINTABLE},
}
LAST_EVENT: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The id of the last event that was seen; those after it follow.",
    "schema": {"type": "string"},
}


def id_of(resource: Resource[Any]) -> Json:
    """The id of one of these in a path."""
    return {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of the resource.",
        "schema": id_schema(resource),
    }


def for_lists(
    resource: Resource[Any], resources: Mapping[str, Resource[Any]], dialect: Dialect
) -> list[Json]:
    """What a list takes: filters, order, page, shape."""
    return [
        *(_filter(each) for each in resource.filters),
        *_sort(resource),
        _PAGE,
        _size(dialect.max_size),
        *(_CURSORS if dialect.has_cursors else ()),
        *for_documents(resource, resources),
    ]


def for_documents(resource: Resource[Any], resources: Mapping[str, Resource[Any]]) -> list[Json]:
    """What shapes a document: included resources and sparse fieldsets."""
    types = {resource.type, *(each.type for each in resource.includes.values())}
    fields = [_fields(resources[type_]) for type_ in sorted(types)]
    if not resource.includes:
        return fields
    return [_listed("include", resource.includes, "The related resources to include."), *fields]


def _filter(filter_: Filter) -> Json:
    items = {"type": "string"} | ({"pattern": filter_.pattern} if filter_.pattern else {})
    return _query(
        f"filter[{filter_.name}]",
        f"Only those whose {filter_.name} is one of these.",
        {"type": "array", "items": items} | ({"minItems": 1} if filter_.pattern else {}),
    )


def _sort(resource: Resource[Any]) -> list[Json]:
    names = [sign + each.name for each in resource.sorts for sign in ("", "-")]
    return [_listed("sort", names, "The order; - before a name turns it around.")] if names else []


def _fields(resource: Resource[Any]) -> Json:
    name = f"fields[{resource.type}]"
    return _listed(name, sorted(resource.fields), f"The only fields of {resource.type} to show.")


def _listed(name: str, values: Iterable[str], description: str) -> Json:
    items = {"type": "string", "enum": [*values]}
    return _query(name, description, {"type": "array", "items": items})


def _query(name: str, description: str, schema: Json) -> Json:
    found: Json = {"name": name, "in": "query", "description": description, "schema": schema}
    # A comma list (JSON:API writes lists so), not the name repeated.
    return found | ({"explode": False} if schema["type"] == "array" else {})


def _size(top: int) -> Json:
    schema = {"type": "integer", "minimum": 1, "maximum": top, "default": DEFAULT_SIZE}
    return _query("page[size]", "How many resources a page has.", schema)


_PAGE = _query(
    "page[number]",
    "Which page, from 1.",
    {"type": "integer", "minimum": 1, "maximum": MAX_NUMBER, "default": 1},
)
_CURSORS = (
    _query(
        "page[after]",
        "The page behind this cursor, instead of one by number; empty is the start of the list.",
        {"type": "string"},
    ),
    _query(
        "page[before]",
        "The page that ends before this cursor, instead of one by number.",
        {"type": "string"},
    ),
)
