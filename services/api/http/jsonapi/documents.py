"""Documents: what a resource, a page of them or a relationship looks like on the wire.

The order of members is that of the published API documents. JSON:API 1.0, Document Structure:
https://jsonapi.org/format/1.0/#document-structure
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import quote, urlencode, urljoin

from services.api.http.jsonapi import cursors
from services.api.http.jsonapi.queries import WHOLE, Shape
from services.api.http.jsonapi.resource import Resource, Shown, ToMany, ToOne, timestamp

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from services.api.domain.page import Page
    from services.api.http.jsonapi.queries import Pairs, Query

Document = dict[str, object]
Found = tuple[Resource[Any], Any]
"""An object and what it is."""

T = TypeVar("T")

JSONAPI = {"version": "1.0"}
BY_CURSOR = {"version": "1.1", "profile": [cursors.PROFILE]}
DESCRIPTION = "openapi.json"
"""Where, below the base, the API describes itself."""
REPORT = "validation-report"
"""Where, below a resource, its validation report is."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Builds documents whose links start with ``base``, as https://domain.com/api/v1."""

    base: str

    shows_linkage: ClassVar[bool] = False
    """Whether every relationship shows where it leads, and not only those that are included."""

    def single(
        self,
        resource: Resource[T],
        item: T,
        shape: Shape = WHOLE,
        included: Iterable[Found] | None = None,
    ) -> Document:
        """The document of one resource, with what is included."""
        data = self.resource(resource, item, shape)
        return self._document(data, self.url(resource, item), shape, included)

    def unaddressed(self, resource: Resource[T], item: T) -> Document:
        """The document of something that is made and has no URL to be read again at."""
        data = self.resource(resource, item)
        del data["links"]
        return self.whole({"data": data}, {})

    def collection(
        self,
        resource: Resource[T],
        page: Page[T],
        query: Query,
        included: Iterable[Found] | None = None,
        url: str | None = None,
    ) -> Document:
        """The document of one page of a collection, at the URL of all unless given another."""
        url = url or self.every(resource)
        data = [self._item(resource, item, query) for item in page.items]
        last = max(1, -(-page.total // query.size))
        document: Document = {"data": data}
        if included is not None:
            document["included"] = self._included(included, query.shape)
        if query.by_cursor:
            meta, links = _cursor_meta(query, page), _cursor_links(url, query, page)
        else:
            meta, links = _page_meta(query, last, page), page_links(url, query, last)
        whole = self.whole(document | {"meta": {"page": meta}}, links)
        return whole | {"jsonapi": BY_CURSOR} if query.by_cursor else whole

    def related(
        self,
        url: str,
        found: Found | None,
        shape: Shape = WHOLE,
        included: Iterable[Found] | None = None,
    ) -> Document:
        """The document of a related resource, or of none, at the URL of the relationship."""
        data = self.resource(*found, shape) if found else None
        return self._document(data, url, shape, included)

    def linkage(self, resource: Resource[T], item: T, to_one: ToOne[T]) -> Document:
        """The document of a relationship URL."""
        links = self.relationship(resource, item, to_one)
        return self.whole({"data": _linkage(item, to_one)}, links)

    def resource(self, resource: Resource[T], item: T, shape: Shape = WHOLE) -> Document:
        """A resource object; linkage is in it for what is included."""
        id_ = str(resource.id(item))
        url = f"{self.every(resource)}/{id_}"
        rendered: Document = {"type": resource.type, "id": id_}
        shown = resource.shown(shape)
        if attributes := self._attributes(shown, item):
            rendered["attributes"] = attributes
        included = shape.include or ()
        relationships: Document = {
            each.name: self._related_object(url, item, each, included)
            for each in shown.relationships
        }
        for each in shown.lists:
            relationships[each.name] = {"links": {"related": f"{url}/{each.segment}"}}
        if relationships:
            rendered["relationships"] = relationships
        rendered["links"] = {"self": url, **self._links(resource, item)}
        if meta := self._meta(resource, item, url):
            rendered["meta"] = {
                name: self.moment(value) if isinstance(value, datetime) else value
                for name, value in meta.items()
            }
        return rendered

    def _attributes(self, shown: Shown[T], item: T) -> Document:
        attributes: Document = {}
        for each, read in shown.attributes:
            value = read(item)
            if value is None:
                if each.optional:
                    continue
            elif isinstance(value, datetime):
                value = self.moment(value)
            elif each.is_link and value:
                value = urljoin(self.base, str(value))
            attributes[each.name] = value
        return attributes

    def _links(self, resource: Resource[T], item: T) -> Document:
        own = {} if resource.links is None else resource.links(item)
        return {name: urljoin(self.base, url) for name, url in own.items()}

    def _meta(self, resource: Resource[T], item: T, url: str) -> Mapping[str, object]:
        own = {} if resource.meta is None else resource.meta(item)
        if resource.has_report is None:
            return own
        report = f"{url}/{REPORT}" if resource.has_report(item) else None
        return {**own, "validationReport": report}

    def url(self, resource: Resource[T], item: T) -> str:
        """Where a resource is."""
        return f"{self.every(resource)}/{resource.id(item)}"

    def every(self, resource: Resource[Any]) -> str:
        """Where all of a type are."""
        return f"{self.base}/{resource.segment}"

    def below(self, resource: Resource[Any], id_: UUID, to_many: ToMany) -> str:
        """Where those are that belong to one resource."""
        return f"{self.every(resource)}/{id_}/{to_many.segment}"

    def relationship(self, resource: Resource[T], item: T, to_one: ToOne[T]) -> dict[str, str]:
        """The links of a relationship."""
        return self.links_of(self.url(resource, item), to_one)

    def links_of(self, url: str, to_one: ToOne[Any]) -> dict[str, str]:
        """The links of a relationship of what is at this URL."""
        return {
            "related": f"{url}/{to_one.segment}",
            "self": f"{url}/relationships/{to_one.segment}",
        }

    def _item(self, resource: Resource[T], item: T, query: Query) -> Document:
        rendered = self.resource(resource, item, query.shape)
        if not query.by_cursor:
            return rendered
        meta: Any = rendered.get("meta", {})
        return rendered | {"meta": {**meta, "page": {"cursor": cursors.encode(item, query.order)}}}

    def _related_object(
        self, url: str, item: T, to_one: ToOne[T], included: Collection[str]
    ) -> Document:
        related: Document = {"links": self.links_of(url, to_one)}
        if self.shows_linkage or to_one.name in included:
            related["data"] = _linkage(item, to_one)
        return related

    def _document(
        self, data: Document | None, url: str, shape: Shape, included: Iterable[Found] | None
    ) -> Document:
        document: Document = {"data": data}
        if included is not None:
            document["included"] = self._included(included, shape)
        return self.whole(document, {"self": _with(url, shape.given)})

    def whole(self, document: Document, links: Mapping[str, str | None]) -> Document:
        """A document with the members that all of them have."""
        return document | {"jsonapi": JSONAPI, "links": {**links, **self._description()}}

    def moment(self, moment: datetime) -> str:
        """How a moment is written."""
        return timestamp(moment)

    def _included(self, included: Iterable[Found], shape: Shape) -> list[Document]:
        # What was asked for along the primary data is not asked for along what comes with it.
        shape = Shape(fields=shape.fields)
        return [self.resource(resource, item, shape) for resource, item in included]

    def _description(self) -> dict[str, str]:
        return {"describedby": f"{self.base}/{DESCRIPTION}"}


def _linkage(item: T, to_one: ToOne[T]) -> Document | None:
    id_ = to_one.linkage(item)
    return None if id_ is None else {"type": to_one.type_of(item), "id": str(id_)}


def _with(url: str, parameters: Pairs) -> str:
    return f"{url}?{urlencode(parameters, quote_via=quote)}" if parameters else url


def _page_meta(query: Query, last: int, page: Page[Any]) -> Mapping[str, object]:
    count = len(page.items)
    return {
        "currentPage": query.number,
        "from": query.skip + 1 if count else 0,
        "lastPage": last,
        "perPage": query.size,
        "to": query.skip + count if count else 0,
        "total": page.total,
    }


def page_links(url: str, query: Query, last: int) -> dict[str, str | None]:
    """First and last always; the neighbours where there are such pages."""

    def at(number: int) -> str:
        page = (("page[number]", str(number)), ("page[size]", str(query.size)))
        return _with(url, (*query.others, *page))

    links: dict[str, str | None] = {"first": at(1), "last": at(last)}
    if query.number < last:
        links["next"] = at(query.number + 1)
    if query.number > 1:
        links["prev"] = at(min(query.number - 1, last))
    return links


def _cursor_meta(query: Query, page: Page[Any]) -> Mapping[str, object]:
    if query.after is not None and query.before is not None and page.more:
        return {"rangeTruncated": True, "total": page.total}
    return {"total": page.total}


def _cursor_links(url: str, query: Query, page: Page[Any]) -> dict[str, str | None]:
    """The neighbours, null where there is certainly none; an empty cursor is the list's start."""

    def at(side: str, cursor: str) -> str:
        pairs = ((f"page[{side}]", cursor), ("page[size]", str(query.size)))
        return _with(url, (*query.others, *pairs))

    def beside(side: str, *, certain: bool, exists: bool) -> str | None:
        if not page.items or (certain and not exists):
            return None
        return at(side, cursors.encode(page.items[0 if side == "before" else -1], query.order))

    backwards = query.before is not None and query.after is None
    return {
        "first": at("after", ""),
        "next": beside("after", certain=query.before is None, exists=page.more),
        "prev": beside("before", certain=query.after is None, exists=backwards and page.more),
    }
