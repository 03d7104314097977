"""Error objects and how a refusal of the core reads in a resource's own names.

JSON:API 1.0, Errors: https://jsonapi.org/format/1.0/#errors
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from services.api.domain.errors import (
    InUse,
    InvalidFields,
    InvalidQuery,
    NotFound,
    Refusal,
    RelatedNotFound,
    ScopeMissing,
    StateConflict,
    Unauthenticated,
    Unavailable,
    Violation,
)
from services.api.http.jsonapi.resource import Attribute, label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.api.http.jsonapi.resource import Resource, ToOne

_STATUSES: Mapping[type[Refusal], int] = {
    InvalidFields: 422,
    InvalidQuery: 400,
    NotFound: 404,
    RelatedNotFound: 404,
    StateConflict: 409,
    InUse: 409,
    Unauthenticated: 401,
    ScopeMissing: 403,
    Unavailable: 503,
}
_HEADERS: Mapping[type[Refusal], Mapping[str, str]] = {
    Unauthenticated: {"WWW-Authenticate": 'Bearer realm="stagedoor"'},  # RFC 6750 section 3
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


@dataclass(frozen=True, slots=True)
class Error:
    """One error object; the title is that of the status unless it has one of its own."""

    status: int
    detail: str
    title: str = ""
    pointer: str | None = None
    parameter: str | None = None

    def render(self) -> dict[str, object]:
        """The error object, members in alphabetical order."""
        rendered: dict[str, object] = {"detail": self.detail}
        if self.pointer is not None:
            rendered["source"] = {"pointer": self.pointer}
        elif self.parameter is not None:
            rendered["source"] = {"parameter": self.parameter}
        title = self.title or _TITLES.get(self.status) or HTTPStatus(self.status).phrase
        return rendered | {"status": str(int(self.status)), "title": title}


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

    def render(self) -> dict[str, object]:
        """The errors document."""
        errors = [error.render() for error in self.errors]
        return {"jsonapi": {"version": "1.0"}, "errors": errors}


@contextmanager
def in_names_of(resource: Resource[Any], pointer: str | None = None) -> Iterator[None]:
    """Turn a refusal raised inside into JsonApiError, in the resource's own names.

    ``pointer`` is given when the whole document is about one field.
    """
    try:
        yield
    except InvalidFields as refusal:
        errors = (_violation(resource, each, pointer) for each in refusal.violations)
        raise JsonApiError(*errors) from refusal
    except RelatedNotFound as refusal:
        where = pointer or _pointer(resource.writable.get(refusal.field))
        raise JsonApiError(related_not_found(where)) from refusal


def from_refusal(refusal: Refusal) -> JsonApiError:
    """A refusal that names no field."""
    status = _STATUSES.get(type(refusal), HTTPStatus.INTERNAL_SERVER_ERROR)
    is_missing = isinstance(refusal, NotFound)
    detail = "The requested resource does not exist." if is_missing else refusal.detail
    return JsonApiError(Error(status, detail), headers=_HEADERS.get(type(refusal)))


def related_not_found(pointer: str) -> Error:
    """What is said when a resource that the document names does not exist."""
    return Error(404, "The related resource does not exist.", pointer=pointer)


def wrong_type(relationship: ToOne[Any], pointer: str) -> Error:
    """What is said when the document names a resource of another type."""
    sentence = "The {} field must be a to-one relationship containing {} resources."
    detail = sentence.format(label(relationship.name), relationship.type)
    return Error(422, detail, pointer=pointer)


def _violation(resource: Resource[Any], violation: Violation, pointer: str | None) -> Error:
    member = resource.writable.get(violation.field)
    where = pointer or _pointer(member)
    if member is None:
        return Error(422, violation.detail, pointer=where)
    return Error(422, _sentence(member, violation), pointer=where)


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
