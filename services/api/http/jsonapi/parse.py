"""From a client's document to the core's fields.

What a client may not write (read-only attributes and relationships) is ignored, so that a document
that was read can be sent back. JSON:API 1.0: https://jsonapi.org/format/1.0/#crud
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.api.http.jsonapi.errors import (
    Error,
    Fault,
    JsonApiError,
    related_not_found,
    wrong_type,
)
from services.api.http.jsonapi.resource import parse_uuid

if TYPE_CHECKING:
    from services.api.domain.task import Target
    from services.api.http.jsonapi.resource import Attribute, Resource, ToMany, ToOne

Members = dict[str, Any]
Lids = Mapping[tuple[str, str], UUID]
"""By type and local id: what stands for the id that a resource will have."""

parse_id = parse_uuid


def parse_new(
    document: Members,
    resource: Resource[Any],
    types: frozenset[str],
    lids: Lids | None = None,
    *,
    is_strict: bool = False,
) -> Members:
    """The core's fields of a resource to create.

    ``types`` are all types of the API, ``lids`` the local ids that may stand for ids; what is
    read-only is refused if ``is_strict``, and ignored otherwise. Raises
    JsonApiError with all that is wrong: 400 for what is no JSON:API, 403 for an id, 409 for another
    type, 404 or 422 for a relationship that leads nowhere.
    """
    parser = _Parser(resource, types, lids, is_strict=is_strict)
    data = parser.object_at(document, "data", "")
    if data is not None and parser.has_type(data) and "id" in data:
        detail = f"Resource type {resource.type} does not support client-generated IDs."
        parser.refuse(403, "Not Supported", detail, "/data/id", Fault.PARAMETER, "id")
    return parser.fields(data)


def parse_change(
    document: Members,
    resource: Resource[Any],
    id_: UUID,
    types: frozenset[str],
    lids: Lids | None = None,
) -> Members:
    """The core's fields to change of the resource with this id; raises as ``parse_new``."""
    parser = _Parser(resource, types, lids)
    data = parser.object_at(document, "data", "")
    if data is not None and parser.has_type(data):
        parser.has_id(data, id_)
    return parser.fields(data)


def parse_linkage(
    document: Members,
    resource: Resource[Any],
    to_one: ToOne[Any],
    types: frozenset[str],
    lids: Lids | None = None,
) -> Target | None:
    """What a document of a relationship URL links to; raises as ``parse_new``."""
    parser = _Parser(resource, types, lids)
    target: Target | None = parser.target(document, to_one, "")
    parser.finish()
    return target


@dataclass(slots=True)
class _Parser:
    """Collects what is wrong with one document."""

    resource: Resource[Any]
    types: frozenset[str]
    lids: Lids | None = None
    errors: list[Error] = field(default_factory=list)
    is_strict: bool = False

    def finish(self) -> None:
        if self.errors:
            raise JsonApiError(*self.errors)

    def refuse(
        self,
        status: int,
        title: str,
        detail: str,
        pointer: str,
        fault: Fault | None = None,
        *about: str,
    ) -> None:
        error = Error(status, detail, title=title, pointer=pointer, fault=fault, about=about)
        self.errors.append(error)

    def non_compliant(
        self, detail: str, pointer: str, fault: Fault | None = None, *about: str
    ) -> None:
        self.refuse(400, "Non-Compliant JSON:API Document", detail, pointer, fault, *about)

    def object_at(
        self, parent: Members, name: str, at: str, default: Members | None = None
    ) -> Members | None:
        """The object that is a member of the one at this pointer."""
        value = parent.get(name, default)
        if isinstance(value, dict):
            return value
        if name in parent:
            self.non_compliant(f"The member {name} must be an object.", f"{at}/{name}")
        else:
            self._missing(name, at or "/")
        return None

    def _missing(self, name: str, at: str) -> None:
        self.non_compliant(f"The member {name} is required.", at, Fault.MISSING, name)

    def text_at(self, parent: Members, name: str, at: str) -> str | None:
        """The string that is a member of the object at this pointer."""
        value = parent.get(name)
        if isinstance(value, str) and value:
            return value
        if name not in parent:
            self._missing(name, at)
        elif value == "":
            self.non_compliant(f"The member {name} cannot be empty.", f"{at}/{name}")
        else:
            self.non_compliant(f"The member {name} must be a string.", f"{at}/{name}")
        return None

    def id_at(self, parent: Members, type_: str | None, at: str) -> str | None:
        """The id in the object at this pointer, or what stands for it in place of a local one."""
        lid = parent.get("lid")
        if self.lids is None or "id" in parent or not isinstance(lid, str):
            return self.text_at(parent, "id", at)
        if (type_, lid) in self.lids:
            return str(self.lids[type_ or "", lid])
        self.non_compliant(f"The local id {lid} was not given before.", f"{at}/lid")
        return None

    def has_type(self, data: Members) -> bool:
        type_ = self.text_at(data, "type", "/data")
        if type_ not in {None, self.resource.type}:
            detail = f"Resource type {type_} is not supported by this endpoint."
            pointer, fault = "/data/type", Fault.TYPE_MISMATCH
            self.refuse(409, "Not Supported", detail, pointer, fault, str(type_))
        return type_ == self.resource.type

    def has_id(self, data: Members, id_: UUID) -> None:
        text = self.id_at(data, self.resource.type, "/data")
        if text is not None and parse_id(text) != id_:
            detail = f"Resource id {text} is not supported by this endpoint."
            self.refuse(409, "Not Supported", detail, "/data/id")

    def fields(self, data: Members | None) -> Members:
        """The core's fields of a resource object; ends the parsing."""
        if data is None:
            found: Members = {}
        else:
            found = self._attributes(data) | self._relationships(data)
        self.finish()
        return found

    def _attributes(self, data: Members) -> Members:
        known = {each.name: each for each in self.resource.attributes}
        given = self._known_members(data, "attributes", known)
        return {
            each.field: each.write(value)
            for name, value in given.items()
            if (each := known[name]).field
        }

    def _relationships(self, data: Members) -> Members:
        known: dict[str, ToOne[Any]] = {each.name: each for each in self.resource.relationships}
        ignored = {each.name: each for each in self.resource.lists}
        given = self._known_members(data, "relationships", {**known, **ignored})
        named = [each for name, each in known.items() if name in given]
        return {each.field: self._related(given, each) for each in named if each.field}

    def _known_members(
        self,
        data: Members,
        kind: str,
        known: Mapping[str, Attribute[Any] | ToOne[Any] | ToMany],
    ) -> Members:
        given = self.object_at(data, kind, "/data", default={}) or {}
        for name in (each for each in given if not self._is_taken(known.get(each))):
            detail = f"The field {name} is not a supported {kind.removesuffix('s')}."
            self.non_compliant(detail, f"/data/{kind}", Fault.PARAMETER, name)
        return {name: value for name, value in given.items() if name in known}

    def _is_taken(self, member: Attribute[Any] | ToOne[Any] | ToMany | None) -> bool:
        return member is not None and (member.field is not None or not self.is_strict)

    def _related(self, relationships: Members, to_one: ToOne[Any]) -> Any:
        relationship = self.object_at(relationships, to_one.name, "/data/relationships")
        if relationship is None:
            return None
        return self.target(relationship, to_one, f"/data/relationships/{to_one.name}")

    def target(self, relationship: Members, to_one: ToOne[Any], at: str) -> Any:
        """What the linkage in an object with ``data`` names; None for nothing and for errors."""
        identifier = relationship.get("data")
        if "data" not in relationship:
            self._missing("data", at or "/")
        elif isinstance(identifier, dict):
            return self._identified(identifier, to_one, at)
        elif identifier is not None:
            detail = f"The field {to_one.name} must be a to-one relation."
            self.non_compliant(detail, at or "/data", Fault.LINKS_OBJECT)
        return None

    def _identified(self, identifier: Members, to_one: ToOne[Any], at: str) -> Any:
        type_ = self.text_at(identifier, "type", f"{at}/data")
        id_ = self.id_at(identifier, type_, f"{at}/data")
        if type_ is None or id_ is None:
            return None
        known = to_one.parse_id(id_)
        if type_ not in self.types and not to_one.takes(type_):
            detail = f"Resource type {type_} is not recognised."
            self.non_compliant(detail, f"{at}/data/type", Fault.NO_TYPE, type_)
        elif not to_one.takes(type_):
            self.errors.append(wrong_type(to_one, type_, at or "/data"))
        elif known is None:
            self.errors.append(related_not_found(at or "/data", id_))
        else:
            return to_one.chosen(type_, known)
        return None
