"""JSON Schemas of the documents: from a resource's declaration alone.

https://spec.openapis.org/oas/v3.1.0#schema-object
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from services.api.http.jsonapi.links import LINKS
from services.api.http.jsonapi.resource import ToMany, ToOne, parse_uuid
from services.api.http.jsonapi.secrets import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from services.api.http.jsonapi.dialect import Dialect
    from services.api.http.jsonapi.resource import Attribute, Resource

    Member = Attribute[Any] | ToOne[Any] | ToMany

Json = dict[str, Any]

MADE: tuple[Resource[Any], ...] = (LINKS, SECRETS)
"""What is made of a resource and cannot be read again."""

UUID_TEXT: Json = {"type": "string", "format": "uuid"}
NUMBER_TEXT: Json = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
_REF = "#/components/schemas/{name}"
_IGNORED: Json = {"description": "Read-only: what a client sends is ignored."}
_LINKS: Json = {"type": "object", "additionalProperties": True}

COMMON: Mapping[str, Json] = {
    "JsonApi": {
        "type": "object",
        "properties": {"version": {"type": "string"}},
        "required": ["version"],
    },
    "Links": _LINKS,
    "Meta": {"type": "object", "additionalProperties": True},
    "ValidationReport": {
        "type": "object",
        "properties": {
            "accepted": {"type": "boolean"},
            "profile": {"type": "string"},
            "problems": {"type": "array", "items": {"type": "object"}},
        },
        "additionalProperties": True,
    },
    "Error": {
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "links": _LINKS,
            "meta": {"type": "object"},
            "source": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "header": {"type": "string"},
                },
                "additionalProperties": False,
            },
            "status": {"type": "string", "pattern": "^[45][0-9]{2}$"},
            "title": {"type": "string"},
        },
        "required": ["detail", "status", "title"],
        "additionalProperties": False,
    },
}


def ref(name: str) -> Json:
    """A reference to a schema among the components."""
    return {"$ref": _REF.format(name=name)}


def pascal(name: str) -> str:
    """A type or a segment of a URL as a name: ``atmos-import-tasks`` is AtmosImportTasks."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))


def id_schema(member: Resource[Any] | ToOne[Any]) -> Json:
    """The schema of a resource's id, or of those that a relationship leads to."""
    return UUID_TEXT if member.parse_id is parse_uuid else NUMBER_TEXT


def components(resources: Iterable[Resource[Any]], dialect: Dialect) -> dict[str, Json]:
    """The schemas of all these resources, of their documents, and of what they refer to."""
    resources = tuple(resources)
    kinds = [attribute.kind for each in (*resources, *MADE) for attribute in each.attributes]
    rendered, referred = msgspec.json.schema_components(kinds, ref_template=_REF)
    values = iter(rendered)
    errors = {"type": "array", "items": ref("Error"), "minItems": 1}
    found = {**COMMON, **referred, "Errors": _of_dialect(dialect, {"errors": errors})}
    for resource in resources:
        known = {attribute.name: next(values) for attribute in resource.attributes}
        found |= _Schemas(resource, known, dialect).components()
    for resource in MADE:
        known = {attribute.name: next(values) for attribute in resource.attributes}
        found |= _Schemas(resource, known, dialect).made()
    return found | _atomic(each for each in resources if each.writable)


def _atomic(resources: Iterable[Resource[Any]]) -> dict[str, Json]:
    """Of several operations in one request (https://jsonapi.org/ext/atomic/), and its answer."""
    operations = [each for resource in resources for each in _atomic_operations(resource)]
    listed = {"type": "array", "items": {"anyOf": operations}, "minItems": 1, "maxItems": 500}
    results = {"type": "array", "items": {"type": "object", "properties": {"data": {}}}}
    return {
        "AtomicOperations": {
            "type": "object",
            "properties": {"atomic:operations": listed},
            "required": ["atomic:operations"],
        },
        "AtomicResults": _closed(
            {"atomic:results": results, "jsonapi": ref("JsonApi")}, required=["atomic:results"]
        ),
    }


def _atomic_operations(resource: Resource[Any]) -> list[Json]:
    name = pascal(resource.type)
    members = (
        ("add", "data", {"$ref": f"#/components/schemas/{name}New/properties/data"}),
        ("update", "data", {"$ref": f"#/components/schemas/{name}Change/properties/data"}),
        ("remove", "ref", _identifier((resource.type,), id_schema(resource))),
    )
    return [
        {
            "type": "object",
            "properties": {"op": {"const": op}, member: schema},
            "required": ["op", member],
        }
        for op, member, schema in members
    ]


class _Schemas:
    """The schemas of one resource; ``values`` has that of each attribute."""

    def __init__(
        self, resource: Resource[Any], values: Mapping[str, Json], dialect: Dialect
    ) -> None:
        self._resource = resource
        self._values = values
        self._dialect = dialect

    def components(self) -> dict[str, Json]:
        name = pascal(self._resource.type)
        found = {name: self._object(), f"{name}Document": self._document(ref(name))}
        found[f"{name}Page"] = self._document(
            {"type": "array", "items": ref(name)}, meta=ref("Meta")
        ) | {"description": f"A page of {self._resource.type}."}
        if self._resource.writable:
            found[f"{name}New"] = self._request()
            found[f"{name}Change"] = self._request(id=id_schema(self._resource))
        for each in self._resource.relationships:
            found[f"{name}{pascal(each.segment)}Document"] = self._document(
                _nullable(*(ref(pascal(type_)) for type_ in each.types))
            )
            found[f"{name}{pascal(each.segment)}Linkage"] = self._document(
                _nullable(_identifiers(each))
            )
            if each.field is not None:
                found[f"{name}{pascal(each.segment)}LinkageChange"] = _linkage(each)
        return found

    def made(self) -> dict[str, Json]:
        """Of what is only made."""
        name = pascal(self._resource.type)
        return {
            name: self._object(),
            f"{name}Document": self._document(ref(name)),
            f"{name}New": self._request(),
        }

    def _document(self, data: Json, **more: Json) -> Json:
        known = {"data": data, "included": {"type": "array", "items": {"type": "object"}}}
        whole = _of_dialect(self._dialect, {**known, **more, "links": ref("Links")})
        optional = {"included"} if self._dialect.jsonapi else {"included", "links"}
        return whole | {"required": [each for each in whole["required"] if each not in optional]}

    def _object(self) -> Json:
        """A resource object as it is answered; sparse fieldsets may leave any field out."""
        shown = (each for each in self._resource.attributes if each.read)
        properties: Json = {
            "type": {"const": self._resource.type},
            "id": id_schema(self._resource),
            "attributes": _closed({each.name: self._values[each.name] for each in shown}),
            "links": ref("Links"),
            "meta": ref("Meta"),
        }
        related = {each.name: _relationship(each) for each in self._resource.relationships}
        related |= {each.name: _closed({"links": ref("Links")}) for each in self._resource.lists}
        if related:
            properties["relationships"] = _closed(related)
        return _closed(properties, required=["type", "id"])

    def _request(self, **more: Json) -> Json:
        """A document that creates a resource, or changes one, which then needs its id."""
        creating = not more
        data: Json = {"type": {"const": self._resource.type}, **more}
        required = ["type", *more]
        related: list[Member] = [*self._resource.relationships, *self._resource.lists]
        kinds: tuple[tuple[str, Sequence[Member]], ...] = (
            ("attributes", self._resource.attributes),
            ("relationships", related),
        )
        for kind, members in kinds:
            if members:
                data[kind] = self._writable(members, creating=creating)
                required += [kind] if creating and data[kind].get("required") else []
        described = {"type": "object", "properties": data, "required": required}
        return {"type": "object", "properties": {"data": described}, "required": ["data"]}

    def _writable(self, members: Iterable[Member], *, creating: bool) -> Json:
        taken = [each for each in members if each.field or not self._dialect.is_strict]
        properties = {each.name: self._writable_member(each) for each in taken}
        required = [each.name for each in members if creating and self._is_required(each)]
        return _closed(properties, required=required)

    def _writable_member(self, member: Member) -> Json:
        if isinstance(member, ToMany) or member.field is None:
            return _IGNORED
        if isinstance(member, ToOne):
            return _linkage(member)
        return self._values[member.name] | ({} if member.read else {"writeOnly": True})

    def _is_required(self, member: Member) -> bool:
        return member.field in self._resource.required


def _closed(properties: Json, required: Iterable[str] = ()) -> Json:
    """An object of these members and no others."""
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": [*required]} if required else {})


def _of_dialect(dialect: Dialect, members: Json) -> Json:
    """A document of these members and those that the dialect adds, all of them required."""
    own = {"jsonapi": ref("JsonApi")} if dialect.jsonapi else {}
    return _closed(members | own, required=[*members, *own])


def _nullable(*schemas: Json) -> Json:
    return {"anyOf": [*schemas, {"type": "null"}]}


def _identifier(types: Sequence[str], id_: Json) -> Json:
    of_type = {"const": types[0]} if len(types) == 1 else {"enum": [*types]}
    properties = {"type": of_type, "id": id_}
    return {"type": "object", "properties": properties, "required": ["type", "id"]}


def _identifiers(to_one: ToOne[Any]) -> Json:
    return _identifier(to_one.types, id_schema(to_one))


def _linkage(to_one: ToOne[Any]) -> Json:
    properties = {"data": _nullable(_identifiers(to_one))}
    return {"type": "object", "properties": properties, "required": ["data"]}


def _relationship(to_one: ToOne[Any]) -> Json:
    """As answered: links always, linkage where it is included."""
    return _closed({"data": _nullable(_identifiers(to_one)), "links": ref("Links")}, ["links"])
