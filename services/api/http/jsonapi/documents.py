"""Documents: what a resource, a page of them or a relationship looks like on the wire.

The order of members is that of the published API documents. JSON:API 1.0, Document Structure:
https://jsonapi.org/format/1.0/#document-structure
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from services.api.http.jsonapi.resource import Resource, ToOne, timestamp

if TYPE_CHECKING:
    from uuid import UUID

    from services.api.domain.page import Page
    from services.api.http.jsonapi.queries import Query

Document = dict[str, object]
T = TypeVar("T")

JSONAPI = {"version": "1.0"}


@dataclass(frozen=True, slots=True)
class Documents:
    """Builds documents whose links start with ``base``, as https://domain.com/api/v1."""

    base: str

    def single(self, resource: Resource[T], item: T) -> Document:
        """The document of one resource."""
        return _document(self.resource(resource, item), {"self": self.url(resource, item)})

    def collection(self, resource: Resource[T], page: Page[T], query: Query) -> Document:
        """The document of one page of a collection."""
        last = max(1, -(-page.total // query.size))
        data = [self.resource(resource, item) for item in page.items]
        return {
            "data": data,
            "meta": {"page": _page_meta(query, last, len(data), page.total)},
            "jsonapi": JSONAPI,
            "links": _page_links(f"{self.base}/{resource.type}", query, last),
        }

    def related(
        self, resource: Resource[T], item: T, to_one: ToOne[T], found: Document | None
    ) -> Document:
        """The document of a related resource, already rendered, or of none."""
        return _document(found, {"self": self._relationship(resource, item, to_one)["related"]})

    def linkage(self, resource: Resource[T], item: T, to_one: ToOne[T]) -> Document:
        """The document of a relationship URL."""
        id_ = to_one.linkage(item)
        data: Document | None = None if id_ is None else {"type": to_one.type, "id": str(id_)}
        return _document(data, self._relationship(resource, item, to_one))

    def resource(self, resource: Resource[T], item: T) -> Document:
        """A resource object; linkage stays at its relationship URLs."""
        rendered: Document = {
            "type": resource.type,
            "id": str(resource.id(item)),
            "attributes": {each.name: _value(each.read(item)) for each in resource.attributes},
        }
        if resource.relationships:
            rendered["relationships"] = {
                each.name: {"links": self._relationship(resource, item, each)}
                for each in resource.relationships
            }
        rendered["links"] = {"self": self.url(resource, item)}
        if resource.meta is not None:
            meta = resource.meta(item)
            rendered["meta"] = {name: _value(value) for name, value in meta.items()}
        return rendered

    def url(self, resource: Resource[T], item: T) -> str:
        """Where a resource is."""
        return self._url(resource, resource.id(item))

    def _url(self, resource: Resource[Any], id_: UUID) -> str:
        return f"{self.base}/{resource.type}/{id_}"

    def _relationship(self, resource: Resource[T], item: T, to_one: ToOne[T]) -> dict[str, str]:
        url = self.url(resource, item)
        return {
            "related": f"{url}/{to_one.segment}",
            "self": f"{url}/relationships/{to_one.segment}",
        }


def _document(data: Document | None, links: dict[str, str]) -> Document:
    return {"data": data, "jsonapi": JSONAPI, "links": links}


def _value(value: object) -> object:
    return timestamp(value) if isinstance(value, datetime) else value


def _page_meta(query: Query, last: int, count: int, total: int) -> dict[str, int]:
    return {
        "currentPage": query.number,
        "from": query.skip + 1 if count else 0,
        "lastPage": last,
        "perPage": query.size,
        "to": query.skip + count if count else 0,
        "total": total,
    }


def _page_links(url: str, query: Query, last: int) -> dict[str, str]:
    """First and last always; the neighbours where there are such pages."""

    def at(number: int) -> str:
        page = (("page[number]", str(number)), ("page[size]", str(query.size)))
        return f"{url}?{urlencode((*query.others, *page), quote_via=quote)}"

    links = {"first": at(1), "last": at(last)}
    if query.number < last:
        links["next"] = at(query.number + 1)
    if query.number > 1:
        links["prev"] = at(min(query.number - 1, last))
    return links
