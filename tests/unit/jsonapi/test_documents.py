"""What documents look like, member by member and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.api.domain.page import Page
from services.api.http.jsonapi.documents import Documents
from services.api.http.jsonapi.queries import Query

if TYPE_CHECKING:
    from services.api.http.jsonapi.resource import Resource

BASE = "https://domain.com/api/v1"
DESCRIBED = f'"describedby": "{BASE}/openapi.json"'
ID = "01924f3b-2222-7000-bbbb-000000000002"
BOOK = f"""{{
  "type": "books",
  "id": "{ID}",
  "attributes": {{
    "bookTitle": "Poems", "shelfMark": null, "addedAt": "2025-05-27T10:00:00.000000Z"
  }},
  "relationships": {{
    "mainAuthor": {{
      "links": {{
        "related": "{BASE}/books/{ID}/main-author",
        "self": "{BASE}/books/{ID}/relationships/main-author"
      }}
    }},
    "copy": {{
      "links": {{
        "related": "{BASE}/books/{ID}/copy",
        "self": "{BASE}/books/{ID}/relationships/copy"
      }}
    }}
  }},
  "links": {{"self": "{BASE}/books/{ID}"}},
  "meta": {{"letters": 5, "seenAt": "2025-05-27T10:00:00.000000Z"}}
}}"""


def _compact(text: str | bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(text))


@pytest.fixture
def documents() -> Documents:
    return Documents(BASE)


def test_single(documents: Documents, books: Resource[Any], book: Any) -> None:
    expected = f"""{{
      "data": {BOOK}, "jsonapi": {{"version": "1.0"}},
      "links": {{"self": "{BASE}/books/{ID}", {DESCRIBED}}}
    }}"""
    assert msgspec.json.encode(documents.single(books, book)) == _compact(expected)


def test_collection(documents: Documents, books: Resource[Any], book: Any) -> None:
    expected = f"""{{
      "data": [{BOOK}],
      "meta": {{
        "page": {{
          "currentPage": 1, "from": 1, "lastPage": 3, "perPage": 20, "to": 1, "total": 42
        }}
      }},
      "jsonapi": {{"version": "1.0"}},
      "links": {{
        "first": "{BASE}/books?page%5Bnumber%5D=1&page%5Bsize%5D=20",
        "last": "{BASE}/books?page%5Bnumber%5D=3&page%5Bsize%5D=20",
        "next": "{BASE}/books?page%5Bnumber%5D=2&page%5Bsize%5D=20",
        {DESCRIBED}
      }}
    }}"""
    document = documents.collection(books, Page((book,), 42), Query())
    assert msgspec.json.encode(document) == _compact(expected)


@pytest.mark.parametrize(
    ("number", "count", "total", "meta", "names"),
    [
        (1, 0, 0, (1, 0, 1, 10, 0, 0), ["first", "last", "describedby"]),
        (1, 10, 10, (1, 1, 1, 10, 10, 10), ["first", "last", "describedby"]),
        (2, 1, 11, (2, 11, 2, 10, 11, 11), ["first", "last", "prev", "describedby"]),
        (2, 10, 30, (2, 11, 3, 10, 20, 30), ["first", "last", "next", "prev", "describedby"]),
        (9, 0, 30, (9, 0, 3, 10, 0, 30), ["first", "last", "prev", "describedby"]),
    ],
    ids=["empty", "one page", "last page", "middle", "past the end"],
)
def test_pages(  # noqa: PLR0917 - a table
    documents: Documents,
    books: Resource[Any],
    book: Any,
    number: int,
    count: int,
    total: int,
    meta: tuple[int, ...],
    names: list[str],
) -> None:
    page = Page((book,) * count, total)
    document: Any = documents.collection(books, page, Query(number=number, size=10))
    keys = ["currentPage", "from", "lastPage", "perPage", "to", "total"]
    assert list(document["meta"]["page"].items()) == list(zip(keys, meta, strict=True))
    assert list(document["links"]) == names


def test_the_page_before_one_past_the_end_is_the_last(
    documents: Documents, books: Resource[Any]
) -> None:
    document: Any = documents.collection(books, Page((), 30), Query(number=9, size=10))
    assert document["links"]["prev"] == document["links"]["last"]


def test_page_links_keep_the_other_parameters(documents: Documents, books: Resource[Any]) -> None:
    query = Query(size=1, others=(("filter[shelf-mark]", "a b,ü&c"),))
    document: Any = documents.collection(books, Page((), 0), query)
    kept = "filter%5Bshelf-mark%5D=a%20b%2C%C3%BC%26c"
    page = "page%5Bnumber%5D=1&page%5Bsize%5D=1"
    assert document["links"]["first"] == f"{BASE}/books?{kept}&{page}"


def test_linkage(documents: Documents, books: Resource[Any], book: Any) -> None:
    author, copy = books.relationships
    expected = f"""{{
      "data": {{"type": "authors", "id": "01924f3b-1111-7000-aaaa-000000000001"}},
      "jsonapi": {{"version": "1.0"}},
      "links": {{
        "related": "{BASE}/books/{ID}/main-author",
        "self": "{BASE}/books/{ID}/relationships/main-author",
        {DESCRIBED}
      }}
    }}"""
    assert msgspec.json.encode(documents.linkage(books, book, author)) == _compact(expected)
    assert documents.linkage(books, book, copy)["data"] is None


def test_nothing_related(documents: Documents, books: Resource[Any], book: Any) -> None:
    url = documents.relationship(books, book, books.relationships[1])["related"]
    document = documents.related(url, None)
    expected = f"""{{
      "data": null,
      "jsonapi": {{"version": "1.0"}},
      "links": {{"self": "{BASE}/books/{ID}/copy", {DESCRIBED}}}
    }}"""
    assert msgspec.json.encode(document) == _compact(expected)
