"""A small catalogue of books, so that the engine is tested apart from any facade."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import pytest
from msgspec import Meta

from services.api.http.jsonapi.parse import parse_id
from services.api.http.jsonapi.resource import Attribute, Filter, Resource, Sort, ToOne

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A book as the core of a library would have it."""

    id: UUID
    name: str
    shelf_mark: str | None
    writer: UUID | None
    added_at: datetime


def _meta(book: Book) -> Mapping[str, object]:
    return {"letters": len(book.name), "seenAt": book.added_at}


@pytest.fixture
def books() -> Resource[Book]:
    """The declaration of books: two writable attributes, one written and one read relationship."""
    return Resource(
        type="books",
        id=attrgetter("id"),
        attributes=(
            Attribute(
                name="bookTitle",
                kind=Annotated[str, Meta(max_length=40)],
                read=attrgetter("name"),
                field="name",
                invalid="must be words",
            ),
            Attribute(
                name="shelfMark",
                kind=str | None,
                read=attrgetter("shelf_mark"),
                field="shelf_mark",
            ),
            Attribute(name="addedAt", kind=datetime, read=attrgetter("added_at")),
        ),
        relationships=(
            ToOne(name="mainAuthor", type="authors", linkage=attrgetter("writer"), field="writer"),
            ToOne(name="copy", type="copies", linkage=lambda _: None),
        ),
        filters=(
            Filter(name="id", field="ids", parse=parse_id),
            Filter(name="shelf-mark", field="shelf_marks", parse=lambda text: text or None),
        ),
        sorts=(Sort(name="addedAt", field="added_at"), Sort(name="bookTitle", field="name")),
        meta=_meta,
    )


@pytest.fixture
def book() -> Book:
    """One book."""
    return Book(
        id=UUID("01924f3b-2222-7000-bbbb-000000000002"),
        name="Poems",
        shelf_mark=None,
        writer=UUID("01924f3b-1111-7000-aaaa-000000000001"),
        added_at=datetime(2025, 5, 27, 10, tzinfo=UTC),
    )
