"""From the operations of an atomic request to what is to be done, in the core's fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urljoin
from uuid import UUID, uuid4

from services.api.http.jsonapi.errors import Error, JsonApiError
from services.api.http.jsonapi.parse import (
    Members,
    parse_change,
    parse_id,
    parse_linkage,
    parse_new,
)
from services.api.http.jsonapi.resource import label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.api.http.jsonapi.operations import Everything, Served
    from services.api.http.jsonapi.resource import ToOne

MEMBER = "atomic:operations"
Code = Literal["add", "update", "remove"]
_CODES: dict[object, Code] = {"add": "add", "update": "update", "remove": "remove"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One operation, understood.

    ``id`` is None for a resource to create; ``lid_for`` is what stands for the id that it will
    have. ``pointer`` is where a refusal belongs when the whole operation is about one field.
    """

    code: Code
    served: Served[Any]
    id: UUID | None = None
    fields: Members = field(default_factory=dict)
    lid_for: UUID | None = None
    pointer: str | None = None

    @property
    def shows(self) -> bool:
        """Whether its result has a resource to show."""
        return self.code != "remove" and self.pointer is None


@dataclass(frozen=True, slots=True)
class _Target:
    """What an operation is aimed at."""

    served: Served[Any]
    id: UUID | None = None
    to_one: ToOne[Any] | None = None


def parse_operations(given: Sequence[Any], served: Everything, base: str) -> list[Plan]:
    """What each operation asks for; ``base`` is the URL below which hrefs lead.

    Raises JsonApiError with all that is wrong, pointing into the array.
    """
    planner = _Planner(served, base)
    plans: list[Plan] = []
    errors: list[Error] = []
    for index, operation in enumerate(given):
        try:
            plans.append(planner.plan(operation))
        except JsonApiError as error:
            errors += error.under(f"/{MEMBER}/{index}").errors
    if errors:
        raise JsonApiError(*errors)
    return plans


@dataclass(slots=True)
class _Planner:
    """Reads operations in order and remembers the local ids that they introduce."""

    served: Everything
    base: str
    lids: dict[tuple[str, str], UUID] = field(default_factory=dict)

    def plan(self, operation: object) -> Plan:
        if not isinstance(operation, dict):
            raise _malformed("An operation must be an object.", "/")
        code = _CODES.get(operation.get("op")) if isinstance(operation.get("op"), str) else None
        if code is None:
            at = "/op" if "op" in operation else "/"
            raise _malformed("The member op must be one of add, update, remove.", at)
        target = self._target(operation, code)
        if target.to_one is not None:
            return self._relink(code, operation, target, target.to_one)
        if code == "add":
            return self._add(operation, target)
        return self._change(code, operation, target)

    def _add(self, operation: Members, target: _Target) -> Plan:
        resource = target.served.resource
        if target.id is not None:
            raise _malformed("A resource is added to its collection.", "/")
        _require(target.served)
        try:
            fields = parse_new(operation, resource, frozenset(self.served), self.lids)
        except JsonApiError:
            self._forgive(resource.type, operation.get("data"))
            raise
        stand_in = self._introduce(resource.type, operation["data"])
        return Plan(code="add", served=target.served, fields=fields, lid_for=stand_in)

    def _forgive(self, type_: str, data: object) -> None:
        """Let what names a refused resource by its local id not be wrong for that too."""
        lid = data.get("lid") if isinstance(data, dict) else None
        if isinstance(lid, str):
            self.lids.setdefault((type_, lid), uuid4())

    def _introduce(self, type_: str, data: Members) -> UUID | None:
        if "lid" not in data:
            return None
        lid = data["lid"]
        if not isinstance(lid, str) or not lid or (type_, lid) in self.lids:
            raise _malformed("A local id must be a string that was not given before.", "/data/lid")
        # Made up, so that it can stand where an id stands until there is a real one.
        return self.lids.setdefault((type_, lid), uuid4())

    def _change(self, code: Code, operation: Members, target: _Target) -> Plan:
        if target.id is None:
            raise _malformed("The operation must name one resource.", "/")
        _require(target.served)
        if code == "remove":
            return Plan(code=code, served=target.served, id=target.id)
        fields = parse_change(
            operation, target.served.resource, target.id, frozenset(self.served), self.lids
        )
        return Plan(code=code, served=target.served, id=target.id, fields=fields)

    def _relink(self, code: Code, operation: Members, target: _Target, to_one: ToOne[Any]) -> Plan:
        if to_one.field is None:
            raise _forbidden(f"The {label(to_one.name)} relationship is read-only.")
        if code != "update":
            raise _forbidden(f"The {label(to_one.name)} relationship can only be updated.")
        types, resource = frozenset(self.served), target.served.resource
        linked = parse_linkage(operation, resource, to_one, types, self.lids)
        fields = {to_one.field: linked}
        return Plan(code=code, served=target.served, id=target.id, fields=fields, pointer="/data")

    def _target(self, operation: Members, code: Code) -> _Target:
        ref, href, data = (operation.get(name) for name in ("ref", "href", "data"))
        if "ref" in operation and "href" in operation:
            raise _malformed("An operation has a ref or an href, not both.", "/")
        if "href" in operation:
            return self._at(href)
        if "ref" in operation:
            return self._named(ref, "/ref")
        if code == "remove":
            raise _malformed("The operation must have a ref or an href.", "/")
        named = data if isinstance(data, dict) else {}
        if code == "add":
            return _Target(self._served(named, "/data"))
        return self._named(named, "/data")

    def _named(self, ref: object, at: str) -> _Target:
        if not isinstance(ref, dict):
            raise _malformed("The member ref must be an object.", at)
        served = self._served(ref, at)
        id_ = self._id(ref, served.resource.type, at)
        name = ref.get("relationship") if at == "/ref" else None
        if name is None:
            return _Target(served, id_)
        to_one = served.resource.includes.get(name) if isinstance(name, str) else None
        if to_one is None:
            raise _malformed("There is no such relationship.", f"{at}/relationship")
        return _Target(served, id_, to_one)

    def _served(self, named: Members, at: str) -> Served[Any]:
        type_ = named.get("type")
        if not isinstance(type_, str):
            where = f"{at}/type" if "type" in named else at
            raise _malformed("The member type must be a string.", where)
        return self._of_type(type_, f"{at}/type")

    def _of_type(self, type_: str, at: str) -> Served[Any]:
        if type_ not in self.served:
            raise _malformed(f"Resource type {type_} is not recognised.", at)
        return self.served[type_]

    def _id(self, named: Members, type_: str, at: str) -> UUID:
        id_, lid = named.get("id"), named.get("lid")
        if ("id" in named) == ("lid" in named):
            raise _malformed("Either the member id or the member lid is required.", at)
        if "lid" in named:
            found = self.lids.get((type_, lid)) if isinstance(lid, str) else None
            if found is None:
                raise _malformed("The local id was not given before.", f"{at}/lid")
            return found
        if not isinstance(id_, str):
            raise _malformed("The member id must be a string.", f"{at}/id")
        return _existing(id_, f"{at}/id")

    def _at(self, href: object) -> _Target:
        path = self._path(href)
        served = self._of_type(path[0], "/href")
        id_ = _existing(path[1], "/href") if path[1:] else None
        if not path[2:]:
            return _Target(served, id_)
        segments = {each.segment: each for each in served.resource.relationships}
        match path[2:]:
            case ["relationships", segment] if segment in segments:
                return _Target(served, id_, segments[segment])
        raise _malformed("The href leads to nothing that can be changed.", "/href")

    def _path(self, href: object) -> list[str]:
        """The segments of a link below the base."""
        if isinstance(href, str):
            try:
                url = urljoin(f"{self.base}/operations", href)
            except ValueError:
                url = ""
            if "?" in url or "#" in url:
                raise _malformed("The member href cannot have a query or a fragment.", "/href")
            if url.startswith(f"{self.base}/"):
                return url.removeprefix(f"{self.base}/").split("/")
        raise _malformed("The member href must be a link into this API.", "/href")


def _require(served: Served[Any]) -> None:
    if served.operations.units is None:
        raise _forbidden(f"The {served.resource.type} resource is read-only.")


def _existing(id_: str, at: str) -> UUID:
    found = parse_id(id_)
    if found is None:
        detail = "The requested resource does not exist."
        raise JsonApiError(Error(404, detail, pointer=at))
    return found


def _malformed(detail: str, pointer: str) -> JsonApiError:
    title = "Non-Compliant JSON:API Document"
    return JsonApiError(Error(400, detail, title=title, pointer=pointer))


def _forbidden(detail: str) -> JsonApiError:
    return JsonApiError(Error(403, detail))
