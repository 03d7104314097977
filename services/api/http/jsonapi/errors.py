"""Error objects and how a refusal of the core reads in a resource's own names.

JSON:API 1.0, Errors: https://jsonapi.org/format/1.0/#errors
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from services.api.domain.errors import (
    InvalidFields,
    KeyReused,
    NotFound,
    RateLimited,
    Refusal,
    RelatedNotFound,
    Unavailable,
    Violation,
)
from services.api.domain.reasons import answer
from services.api.http.idempotency import HEADER
from services.api.http.jsonapi.resource import Attribute, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.api.http.jsonapi.resource import Resource, ToOne

_HEADERS: Mapping[type[Refusal], Mapping[str, str]] = {
    Unavailable: {"Retry-After": "1"},
}
# Python 3.13 renamed it; the documents of the API keep the older words.
_TITLES = {422: "Unprocessable Entity"}
_SENTENCES = {
    "required": "The {label} field is required.",
    "taken": "The {label} has already been taken.",
    "not_https": "The {label} field must be an HTTPS URL.",
    "address_refused": "The {label} field must not lead to a private or reserved address.",
    "port_refused": "The {label} field must not use this port.",
}


class Fault(Enum):
    """What kind of mistake an error is, for those who have words of their own for it."""

    FIELD = auto()
    FILTER = auto()
    FILTER_VALUE = auto()
    INCLUDE = auto()
    INVALID = auto()
    LINKS_OBJECT = auto()
    MISSING = auto()
    NOT_FOUND = auto()
    NO_TYPE = auto()
    PAGE_PARAMETER = auto()
    PAGE_VALUE = auto()
    PARAMETER = auto()
    SORT = auto()
    TYPE_MISMATCH = auto()


@dataclass(frozen=True, slots=True)
class Error:
    """One error object; the title is that of the status unless it has one of its own.

    ``pointer``, ``parameter`` or ``header`` is the part of the request that it is about; ``type``
    is the address of what this kind of error means, ``code`` its name for programs. ``fault`` says
    what kind it is, ``about`` what it is about: names and values as the client wrote them.
    """

    status: int
    detail: str
    title: str = ""
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    type: str | None = None
    meta: Mapping[str, object] | None = None
    code: str | None = None
    fault: Fault | None = field(default=None, compare=False)
    about: tuple[str, ...] = field(default=(), compare=False)

    def render(self) -> dict[str, object]:
        """The error object, members in alphabetical order, without those that say nothing."""
        source = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        rendered: dict[str, object] = {
            "code": self.code,
            "detail": self.detail,
            "links": self.type and {"type": self.type},
            "meta": self.meta,
            "source": {name: value for name, value in source.items() if value is not None},
            "status": str(int(self.status)),
            "title": self.title or _TITLES.get(self.status) or HTTPStatus(self.status).phrase,
        }
        return {name: value for name, value in rendered.items() if value}


class JsonApiError(Exception):
    """The request is answered with an errors document."""

    def __init__(self, *errors: Error, headers: Mapping[str, str] | None = None) -> None:
        """Take every error that was found."""
        super().__init__(" ".join(error.detail for error in errors))
        self.errors = errors
        self.headers = headers

    @property
    def status(self) -> int:
        """The one status of all errors, or 400 as the most general of several 4xx."""
        statuses = {error.status for error in self.errors}
        return statuses.pop() if len(statuses) == 1 else HTTPStatus.BAD_REQUEST

    def under(self, pointer: str) -> JsonApiError:
        """The same, where the document that it is about stands at a pointer in another."""
        errors = (replace(each, pointer=_join(pointer, each.pointer)) for each in self.errors)
        return JsonApiError(*errors, headers=self.headers)


@contextmanager
def in_names_of(resource: Resource[Any], pointer: str | None = None) -> Iterator[None]:
    """Turn a refusal raised inside into JsonApiError, in the resource's own names.

    ``pointer`` is given when the whole document is about one field.
    """
    try:
        yield
    except (InvalidFields, RelatedNotFound) as refusal:
        raise translate(refusal, resource, pointer) from refusal


def translate(
    refusal: Refusal, resource: Resource[Any], pointer: str | None = None
) -> JsonApiError:
    """A refusal in a resource's own names; ``pointer`` as in ``in_names_of``."""
    match refusal:
        case InvalidFields(violations=violations):
            return JsonApiError(*(_violation(resource, each, pointer) for each in violations))
        case RelatedNotFound(field=field, id=id_):
            where = pointer or _pointer(resource.writable.get(field))
            return JsonApiError(related_not_found(where, id_))
        case _:
            return from_refusal(refusal)


def from_refusal(refusal: Refusal) -> JsonApiError:
    """A refusal that names no field."""
    is_missing = isinstance(refusal, NotFound)
    detail = "The requested resource does not exist." if is_missing else refusal.detail
    header = HEADER if isinstance(refusal, KeyReused) else None
    fault, about = (Fault.NOT_FOUND, (refusal.id,)) if isinstance(refusal, NotFound) else (None, ())
    error = Error(answer(refusal).http, detail, header=header, fault=fault, about=about)
    return JsonApiError(error, headers=_headers(refusal))


def _headers(refusal: Refusal) -> Mapping[str, str] | None:
    if isinstance(refusal, RateLimited):
        return {"Retry-After": str(math.ceil(refusal.retry_after.total_seconds()))}
    return _HEADERS.get(type(refusal))


def related_not_found(pointer: str, id_: str) -> Error:
    """What is said when a resource that the document names does not exist."""
    detail = "The related resource does not exist."
    return Error(404, detail, pointer=pointer, fault=Fault.NOT_FOUND, about=(id_,))


def wrong_type(relationship: ToOne[Any], type_: str, pointer: str) -> Error:
    """What is said when the document names a resource of another type."""
    sentence = "The {} field must be a to-one relationship containing {} resources."
    detail = sentence.format(label(relationship.name), relationship.type)
    return Error(422, detail, pointer=pointer, fault=Fault.TYPE_MISMATCH, about=(type_,))


def _violation(resource: Resource[Any], violation: Violation, pointer: str | None) -> Error:
    member = resource.writable.get(violation.field)
    where = pointer or _pointer(member)
    if violation.member is not None:
        where = f"{where}/{_escaped(violation.member)}"
    if member is None or violation.member is not None:
        return Error(422, violation.detail, pointer=where)
    about = (member.name, _message(member, violation))
    detail = _sentence(member, violation)
    return Error(422, detail, pointer=where, fault=Fault.INVALID, about=about)


def _message(member: Attribute[Any] | ToOne[Any], violation: Violation) -> str:
    """What a sentence of the dialect says after the member's name."""
    if violation.code == "invalid" and isinstance(member, Attribute):
        return member.invalid
    return violation.code


def _sentence(member: Attribute[Any] | ToOne[Any], violation: Violation) -> str:
    words = label(member.name)
    if violation.code in _SENTENCES:
        return _SENTENCES[violation.code].format(label=words)
    if isinstance(member, Attribute) and violation.code == "too_long":
        return f"The {words} field must not be greater than {member.max_length} characters."
    if isinstance(member, Attribute) and violation.code == "invalid":
        return f"The {words} field {member.invalid}."
    return violation.detail


def _pointer(member: Attribute[Any] | ToOne[Any] | None) -> str:
    if member is None:
        return "/data"
    kind = "attributes" if isinstance(member, Attribute) else "relationships"
    return f"/data/{kind}/{member.name}"


def _escaped(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901 section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _join(outer: str, inner: str | None) -> str:
    return outer if inner in {None, "/"} else f"{outer}{inner}"
