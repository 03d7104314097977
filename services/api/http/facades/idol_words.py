"""How the servers of the IDOL API put documents and refusals: in the way of jsonapi-resources.

https://jsonapi-resources.com; codes and titles of errors as its exceptions have them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from services.api.http.jsonapi.dialect import Dialect
from services.api.http.jsonapi.documents import Documents, page_links
from services.api.http.jsonapi.errors import Error, Fault
from services.api.http.jsonapi.media import MEDIA_TYPE
from services.api.http.jsonapi.queries import WHOLE, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from services.api.domain.page import Page
    from services.api.http.jsonapi.documents import Document, Found
    from services.api.http.jsonapi.media import MediaRange, Speech
    from services.api.http.jsonapi.queries import Query
    from services.api.http.jsonapi.resource import Resource, ToOne

T = TypeVar("T")

MAX_PAGE = 200
_MEMBERS = ("id", "type", "links", "attributes", "relationships")


class ResourcesDocuments(Documents):
    """Its documents: linkage always, members in its order, and none about JSON:API itself."""

    __slots__ = ()

    shows_linkage: ClassVar[bool] = True

    def resource(self, resource: Resource[T], item: T, shape: Shape = WHOLE) -> Document:
        """A resource object."""
        given = super().resource(resource, item, shape)
        return {name: given[name] for name in _MEMBERS if name in given}

    def collection(
        self,
        resource: Resource[T],
        page: Page[T],
        query: Query,
        included: Iterable[Found] | None = None,  # noqa: ARG002 - nothing can be included
        url: str | None = None,
    ) -> Document:
        """The document of one page: how many records and pages there are, and where."""
        pages = -(-page.total // query.size)
        links = page_links(url or self.every(resource), query, max(1, pages))
        return {
            "data": [self.resource(resource, item, query.shape) for item in page.items],
            "meta": {"record-count": page.total, "page-count": pages},
            "links": {
                name: links[name] for name in ("first", "prev", "next", "last") if name in links
            },
        }

    def links_of(self, url: str, to_one: ToOne[Any]) -> dict[str, str]:
        """The links of a relationship."""
        links = super().links_of(url, to_one)
        return {"self": links["self"], "related": links["related"]}

    def whole(self, document: Document, links: Mapping[str, str | None]) -> Document:
        """A document; only those of relationships have links of their own."""
        return document | {"links": links} if "related" in links else document

    def moment(self, moment: datetime) -> str:
        """How a moment is written: with milliseconds and its offset."""
        return moment.isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class _Wording:
    """The code and title of a kind of error, and a sentence about what it is about."""

    code: str
    title: str
    detail: str
    status: HTTPStatus = HTTPStatus.BAD_REQUEST


_WORDINGS: Mapping[Fault, _Wording] = {
    Fault.NO_TYPE: _Wording("101", "Invalid resource", "{0} is not a valid resource."),
    Fault.FILTER: _Wording("102", "Filter not allowed", "{0} is not allowed."),
    Fault.FIELD: _Wording("104", "Invalid field", "{0} is not a valid field."),
    Fault.PARAMETER: _Wording("105", "Param not allowed", "{0} is not allowed."),
    Fault.PAGE_PARAMETER: _Wording(
        "105", "Page parameter not allowed", "{0} is not an allowed page parameter."
    ),
    Fault.MISSING: _Wording("106", "Missing Parameter", "The required parameter, {0}, is missing."),
    Fault.FILTER_VALUE: _Wording(
        "107", "Invalid filter value", "{1} is not a valid value for {0}."
    ),
    Fault.INCLUDE: _Wording("112", "Invalid field", "{0} is not a valid includable relationship."),
    Fault.SORT: _Wording("114", "Invalid sort criteria", "{0} is not a valid sort criteria."),
    Fault.LINKS_OBJECT: _Wording(
        "115", "Invalid Links Object", "Data is not a valid Links Object."
    ),
    Fault.TYPE_MISMATCH: _Wording(
        "116", "Type Mismatch", "{0} is not a valid type for this operation."
    ),
    Fault.PAGE_VALUE: _Wording(
        "118", "Invalid page value", "{1} is not a valid value for {0} page parameter."
    ),
    Fault.NOT_FOUND: _Wording(
        "404",
        "Record not found",
        "The record identified by {0} could not be found.",
        HTTPStatus.NOT_FOUND,
    ),
}
_TOO_LARGE = "size exceeds maximum page size of {0}."
_INVALID = "100"
_MESSAGES = {
    "required": "can't be blank",
    "taken": "has already been taken",
    "too_long": "is too long",
    "not_https": "must be an HTTPS URL",
    "address_refused": "must not lead to a private or reserved address",
    "port_refused": "must not use this port",
}
_TITLES = {
    HTTPStatus.NOT_FOUND: "Record not found",
    HTTPStatus.NOT_ACCEPTABLE: "Not acceptable",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Unsupported media type",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Internal Server Error",
}
# Each name that is wrong is an error of its own; these are about one thing, or one with parts.
_OF_PARTS = {Fault.PAGE_VALUE, Fault.FILTER_VALUE, Fault.LINKS_OBJECT}


def reword(error: Error) -> Iterator[Error]:
    """What is said instead of an error."""
    fault = error.fault
    if fault is None:
        title = _TITLES.get(HTTPStatus(error.status), "")
        yield replace(error, code=str(int(error.status)), title=title)
    elif fault is Fault.INVALID:
        yield _invalid(error)
    else:
        said = _WORDINGS[fault]
        each_about = [error.about] if fault in _OF_PARTS else [(name,) for name in error.about]
        for about in each_about:
            detail = _sentence(fault, said, about)
            yield replace(
                error, status=said.status, code=said.code, title=said.title, detail=detail
            )


def _sentence(fault: Fault, wording: _Wording, about: tuple[str, ...]) -> str:
    if fault is Fault.PAGE_VALUE:
        key, value, top = about
        if key == "size" and value.isascii() and value.isdigit() and int(value[:10]) > int(top):
            return _TOO_LARGE.format(top)
    return wording.detail.format(*about)


def _invalid(error: Error) -> Error:
    name, said = error.about
    message = _MESSAGES.get(said, said)
    return replace(error, code=_INVALID, title=message, detail=f"{name} - {message}")


def _is_accepted(ranges: Sequence[MediaRange], _: Speech) -> bool:
    """Exactly JSON:API, or anything."""
    return any(
        each.weight and (each.type == "*/*" or (each.type == MEDIA_TYPE and _is_bare(each)))
        for each in ranges
    )


def _is_bare(media_range: MediaRange) -> bool:
    return all(name == "q" for name, _ in media_range.parameters)


DIALECT = Dialect(
    documents=ResourcesDocuments,
    reword=reword,
    is_accepted=_is_accepted,
    max_size=MAX_PAGE,
    has_cursors=False,
    is_strict=True,
)
