"""Operations: what can be done at each route of a facade.

The routes are those that the application serves, so that none is left out and none is invented.
https://spec.openapis.org/oas/v3.1.0#operation-object
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from services.api.http.jsonapi.atomic import EXTENSION
from services.api.http.jsonapi.documents import REPORT
from services.api.http.jsonapi.links import LINKS
from services.api.http.jsonapi.media import MEDIA_TYPE
from services.api.http.jsonapi.resource import label
from services.api.http.jsonapi.secrets import SECRETS
from services.api.http.openapi import parameters, responses
from services.api.http.openapi.schemas import pascal, ref

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from services.api.http.jsonapi.dialect import Dialect
    from services.api.http.jsonapi.resource import Action, Resource, ToMany, ToOne
    from services.api.http.openapi.schemas import Json

EVENTS = "events"
ATOMIC = "operations"
ATOMIC_TYPE = f'{MEDIA_TYPE};ext="{EXTENSION}"'


@dataclass(frozen=True, slots=True)
class Describer:
    """Describes the routes of these resources."""

    resources: tuple[Resource[Any], ...]
    dialect: Dialect

    def describe(self, method: str, path: str) -> Json:
        """The operation at a route. Raises LookupError for a route of which nothing is known."""
        match path.strip("/").split("/"):
            case [one] if method == "GET" and one == EVENTS:
                return _stream("watchEverything", "Watch all import tasks", ["events"], [])
            case [one] if method == "POST" and one == ATOMIC:
                return _atomic()
            case [segment, *rest] if segment in (known := {r.segment: r for r in self.resources}):
                by_type = {each.type: each for each in self.resources}
                return _Routes(by_type, known[segment], self.dialect).describe(method, rest)
        raise LookupError(f"{method} {path} is not described.")


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of one resource."""

    resources: Mapping[str, Resource[Any]]
    resource: Resource[Any]
    dialect: Dialect

    @property
    def id(self) -> Json:
        return parameters.id_of(self.resource)

    @property
    def name(self) -> str:
        return pascal(self.resource.type)

    @property
    def words(self) -> str:
        return self.resource.type.replace("-", " ")

    def describe(self, method: str, rest: list[str]) -> Json:
        """The operation at what follows the type in a path; raises LookupError."""
        known = self._known(rest)
        if method not in known:
            raise LookupError(
                f"{method} {'/'.join([self.resource.segment, *rest])} is not described."
            )
        return known[method]()

    def _known(self, rest: list[str]) -> Mapping[str, Callable[[], Json]]:
        segments = {each.segment: each for each in self.resource.relationships}
        match rest:
            case []:
                return {"GET": self._list, "POST": self._create}
            case [_]:
                return {"GET": self._get, "PATCH": self._update, "DELETE": self._delete}
            case [_, "relationships", segment] if segment in segments:
                to_one = segments[segment]
                return {
                    "GET": partial(self._linkage, to_one),
                    "PATCH": partial(self._relink, to_one),
                }
            case [_, segment] if segment in segments:
                return {"GET": partial(self._related, segments[segment])}
            case [_, name]:
                return self._of_one(name)
        return {}

    def _of_one(self, name: str) -> Mapping[str, Callable[[], Json]]:
        """What is below one resource and is no relationship to one."""
        readable = {EVENTS: self._watch, REPORT: self._report} | {
            each.segment: partial(self._below, each) for each in self.resource.lists
        }
        makable = {LINKS.type: self._link, SECRETS.type: self._rotate} | {
            each.name: partial(self._act, each) for each in self.resource.actions
        }
        found = {"GET": readable.get(name), "POST": makable.get(name)}
        return {method: describe for method, describe in found.items() if describe}

    def _watch(self) -> Json:
        summary = f"Watch one of the {self.words}"
        return _stream(f"watch{self.name}", summary, [self.resource.type], [self.id])

    def _report(self) -> Json:
        return self._operation(
            f"get{self.name}{pascal(REPORT)}",
            f"Read the validation report of one of the {self.words}",
            [self.id, parameters.IF_NONE_MATCH],
            responses.report(),
        )

    def _link(self) -> Json:
        name = pascal(LINKS.type)
        return self._operation(
            f"create{self.name}{name}",
            f"Make a link that gives the bytes of one of the {self.words} to whoever holds it",
            [self.id],
            responses.made(f"{name}Document"),
            body=f"{name}New",
        )

    def _rotate(self) -> Json:
        name = pascal(SECRETS.type)
        return self._operation(
            f"create{self.name}{name}",
            f"Give one of the {self.words} a new secret",
            [self.id, *self._condition(), parameters.KEY],
            responses.made(f"{name}Document", 412),
            body=f"{name}New",
        )

    def _below(self, to_many: ToMany) -> Json:
        other = self.resources[to_many.type]
        return self._operation(
            f"list{self.name}{pascal(to_many.segment)}",
            f"List the {label(to_many.name)} of one of the {self.words}",
            [
                self.id,
                parameters.IF_NONE_MATCH,
                *parameters.for_lists(other, self.resources, self.dialect),
            ],
            responses.found(f"{pascal(to_many.type)}Page", "A page.", one=True),
        )

    def _list(self) -> Json:
        return self._operation(
            f"list{self.name}",
            f"List {self.words}",
            [
                parameters.IF_NONE_MATCH,
                *parameters.for_lists(self.resource, self.resources, self.dialect),
            ],
            responses.found(f"{self.name}Page", "A page."),
        )

    def _create(self) -> Json:
        return self._operation(
            f"create{self.name}",
            f"Create one of the {self.words}",
            [parameters.KEY, *self._shape()],
            responses.created(f"{self.name}Document", secret=self.resource.is_secret_when_new),
            body=f"{self.name}New",
        )

    def _get(self) -> Json:
        return self._operation(
            f"get{self.name}",
            f"Read one of the {self.words}",
            [self.id, parameters.IF_NONE_MATCH, *self._shape()],
            responses.found(f"{self.name}Document", "The resource.", one=True),
        )

    def _update(self) -> Json:
        if not self.resource.writable:
            return self._read_only(f"change{self.name}", f"The {self.words} are read-only")
        return self._operation(
            f"change{self.name}",
            f"Change one of the {self.words}",
            [self.id, *self._condition(), *self._shape()],
            responses.written(f"{self.name}Document", status=200),
            body=f"{self.name}Change",
        )

    def _delete(self) -> Json:
        return self._operation(
            f"delete{self.name}",
            f"Delete one of the {self.words}",
            [self.id, *self._condition()],
            responses.deleted(),
        )

    def _act(self, action: Action) -> Json:
        gives = self.resources[action.gives or self.resource.type]
        shape = parameters.for_documents(gives, self.resources)
        return self._operation(
            f"{action.verb}{self.name}",
            f"{action.verb.capitalize()} one of the {self.words}",
            [self.id, *self._condition(), parameters.KEY, *shape],
            responses.written(f"{pascal(gives.type)}Document", status=201 if action.gives else 200),
        )

    def _related(self, to_one: ToOne[Any]) -> Json:
        name = f"{self.name}{pascal(to_one.segment)}"
        related = self.resources[to_one.type]
        return self._operation(
            f"get{name}",
            f"Read the {label(to_one.name)} of one of the {self.words}",
            [
                self.id,
                parameters.IF_NONE_MATCH,
                *(
                    parameters.for_documents(related, self.resources)
                    if to_one.types == (to_one.type,)
                    else []
                ),
            ],
            responses.found(f"{name}Document", "The related resource, or null.", one=True),
        )

    def _linkage(self, to_one: ToOne[Any]) -> Json:
        name = f"{self.name}{pascal(to_one.segment)}Linkage"
        return self._operation(
            f"get{name}",
            f"Read which {label(to_one.name)} one of the {self.words} has",
            [self.id, parameters.IF_NONE_MATCH],
            responses.found(name, "The linkage.", one=True),
        )

    def _relink(self, to_one: ToOne[Any]) -> Json:
        name = f"{self.name}{pascal(to_one.segment)}Linkage"
        if to_one.field is None:
            summary = f"The {label(to_one.name)} of {self.words} is read-only"
            return self._read_only(f"change{name}", summary)
        return self._operation(
            f"change{name}",
            f"Change which {label(to_one.name)} one of the {self.words} has",
            [self.id, *self._condition()],
            responses.written(name, status=200),
            body=f"{name}Change",
        )

    def _read_only(self, id_: str, summary: str) -> Json:
        """JSON:API demands that the route is there, to answer 403."""
        return self._operation(id_, summary, [self.id], responses.refused())

    def _shape(self) -> list[Json]:
        return parameters.for_documents(self.resource, self.resources)

    def _condition(self) -> list[Json]:
        return [parameters.IF_MATCH] if self.resource.version else []

    def _operation(
        self,
        id_: str,
        summary: str,
        takes: list[Json],
        answers: Json,
        body: str | None = None,
    ) -> Json:
        return _operation(id_, summary, [self.resource.type], takes, answers) | (
            {"requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": ref(body)}}}}
            if body
            else {}
        )


def _operation(id_: str, summary: str, tags: list[str], takes: list[Json], answers: Json) -> Json:
    return {
        "operationId": id_,
        "summary": summary,
        "tags": tags,
        "parameters": takes,
        "responses": answers,
    }


def _stream(id_: str, summary: str, tags: list[str], takes: list[Json]) -> Json:
    answers = responses.streamed()
    return _operation(id_, summary, tags, [*takes, parameters.LAST_EVENT], answers)


def _atomic() -> Json:
    answers = responses.atomic(ATOMIC_TYPE)
    content = {ATOMIC_TYPE: {"schema": ref("AtomicOperations")}}
    summary = "Do several things or none"
    return _operation("runOperations", summary, [ATOMIC], [parameters.KEY], answers) | {
        "requestBody": {"required": True, "content": content}
    }
