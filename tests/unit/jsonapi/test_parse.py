"""What a client's document is read as, and how a wrong one is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from services.api.domain.task import Target
from services.api.http.jsonapi.errors import JsonApiError
from services.api.http.jsonapi.parse import parse_change, parse_id, parse_linkage, parse_new

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.http.jsonapi.resource import Resource

    Refused = Callable[[], object]

BOOK = "01924f3b-2222-7000-bbbb-000000000002"
AUTHOR = "01924f3b-1111-7000-aaaa-000000000001"
TYPES = frozenset({"books", "authors", "copies"})
IDENTIFIER = {"type": "authors", "id": AUTHOR}

NON_COMPLIANT = "Non-Compliant JSON:API Document"
NOT_SUPPORTED = "Not Supported"


def _data(**members: Any) -> dict[str, Any]:
    return {"data": {"type": "books", **members}}


def _author(relationship: Any) -> dict[str, Any]:
    return _data(relationships={"mainAuthor": relationship})


def _refusals(parse: Refused) -> list[tuple[int, str, str, str | None]]:
    with pytest.raises(JsonApiError) as caught:
        parse()
    return [(e.status, e.title, e.detail, e.pointer) for e in caught.value.errors]


def test_the_fields_of_the_core(books: Resource[Any]) -> None:
    document = _data(
        attributes={"bookTitle": 7, "shelfMark": None, "addedAt": "ignored"},
        relationships={"mainAuthor": {"data": IDENTIFIER}, "copy": {"links": {"self": "x"}}},
        links={"self": "x"},
        unrecognised=[],
    )
    fields = {"name": 7, "shelf_mark": None, "writer": Target("authors", UUID(AUTHOR))}
    assert parse_new(document, books, TYPES) == fields
    document["data"]["id"] = BOOK.upper()
    assert parse_change(document, books, UUID(BOOK), TYPES) == fields


def test_what_is_not_there_is_not_touched(books: Resource[Any]) -> None:
    assert parse_change(_data(id=BOOK), books, UUID(BOOK), TYPES) == {}


def test_a_relationship_can_be_cleared(books: Resource[Any]) -> None:
    assert parse_new(_author({"data": None}), books, TYPES) == {"writer": None}


@pytest.mark.parametrize(
    ("document", "detail", "pointer"),
    [
        ({}, "The member data is required.", "/"),
        ({"data": None}, "The member data must be an object.", "/data"),
        ({"data": []}, "The member data must be an object.", "/data"),
        ({"data": {}}, "The member type is required.", "/data"),
        ({"data": {"type": 1}}, "The member type must be a string.", "/data/type"),
        ({"data": {"type": ""}}, "The member type cannot be empty.", "/data/type"),
        (_data(attributes=[]), "The member attributes must be an object.", "/data/attributes"),
        (
            _data(attributes={"isbn": 1}),
            "The field isbn is not a supported attribute.",
            "/data/attributes",
        ),
        (
            _data(attributes={"mainAuthor": 1}),
            "The field mainAuthor is not a supported attribute.",
            "/data/attributes",
        ),
        (
            _data(relationships=None),
            "The member relationships must be an object.",
            "/data/relationships",
        ),
        (
            _data(relationships={"tags": {}}),
            "The field tags is not a supported relationship.",
            "/data/relationships",
        ),
        (
            _author(IDENTIFIER["id"]),
            "The member mainAuthor must be an object.",
            "/data/relationships/mainAuthor",
        ),
        (
            _author({"links": {}}),
            "The member data is required.",
            "/data/relationships/mainAuthor",
        ),
        (
            _author({"data": [IDENTIFIER]}),
            "The field mainAuthor must be a to-one relation.",
            "/data/relationships/mainAuthor",
        ),
        (
            _author({"data": {"id": AUTHOR}}),
            "The member type is required.",
            "/data/relationships/mainAuthor/data",
        ),
        (
            _author({"data": {"type": "authors", "id": 5}}),
            "The member id must be a string.",
            "/data/relationships/mainAuthor/data/id",
        ),
        (
            _author({"data": {"type": "films", "id": AUTHOR}}),
            "Resource type films is not recognised.",
            "/data/relationships/mainAuthor/data/type",
        ),
    ],
)
def test_non_compliant(
    books: Resource[Any], document: dict[str, Any], detail: str, pointer: str
) -> None:
    refusals = _refusals(lambda: parse_new(document, books, TYPES))
    assert refusals == [(400, NON_COMPLIANT, detail, pointer)]


def test_another_type(books: Resource[Any]) -> None:
    detail = "Resource type films is not supported by this endpoint."
    refusals = _refusals(lambda: parse_new({"data": {"type": "films", "id": BOOK}}, books, TYPES))
    assert refusals == [(409, NOT_SUPPORTED, detail, "/data/type")]


def test_an_id_of_the_clients_own(books: Resource[Any]) -> None:
    detail = "Resource type books does not support client-generated IDs."
    refusals = _refusals(lambda: parse_new(_data(id=BOOK), books, TYPES))
    assert refusals == [(403, NOT_SUPPORTED, detail, "/data/id")]


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({}, (400, NON_COMPLIANT, "The member id is required.", "/data")),
        (
            {"id": AUTHOR},
            (
                409,
                NOT_SUPPORTED,
                f"Resource id {AUTHOR} is not supported by this endpoint.",
                "/data/id",
            ),
        ),
    ],
)
def test_the_id_of_a_change(
    books: Resource[Any], members: dict[str, str], refusal: tuple[object, ...]
) -> None:
    document = _data(**members)
    assert _refusals(lambda: parse_change(document, books, UUID(BOOK), TYPES)) == [refusal]


@pytest.mark.parametrize(
    ("identifier", "status", "detail"),
    [
        (
            {"type": "copies", "id": AUTHOR},
            422,
            "The main author field must be a to-one relationship containing authors resources.",
        ),
        ({"type": "authors", "id": "no-uuid"}, 404, "The related resource does not exist."),
    ],
)
def test_a_relationship_that_leads_nowhere(
    books: Resource[Any], identifier: dict[str, str], status: int, detail: str
) -> None:
    document = _author({"data": identifier})
    [(found, _, text, pointer)] = _refusals(lambda: parse_new(document, books, TYPES))
    assert (found, text, pointer) == (status, detail, "/data/relationships/mainAuthor")


def test_all_that_is_wrong_is_said_at_once(books: Resource[Any]) -> None:
    document = {"data": {"attributes": {"a": 1, "b": 2}, "relationships": {"mainAuthor": {}}}}
    refusals = _refusals(lambda: parse_change(document, books, UUID(BOOK), TYPES))
    assert [(detail, pointer) for _, _, detail, pointer in refusals] == [
        ("The member type is required.", "/data"),
        ("The field a is not a supported attribute.", "/data/attributes"),
        ("The field b is not a supported attribute.", "/data/attributes"),
        ("The member data is required.", "/data/relationships/mainAuthor"),
    ]


def test_linkage(books: Resource[Any]) -> None:
    author = books.relationships[0]
    assert parse_linkage({"data": None}, books, author, TYPES) is None
    target = parse_linkage({"data": IDENTIFIER}, books, author, TYPES)
    assert target == Target("authors", UUID(AUTHOR))


@pytest.mark.parametrize(
    ("document", "status", "pointer"),
    [
        ({}, 400, "/"),
        ({"data": []}, 400, "/data"),
        ({"data": {"type": "authors"}}, 400, "/data"),
        ({"data": {"type": "films", "id": AUTHOR}}, 400, "/data/type"),
        ({"data": {"type": "copies", "id": AUTHOR}}, 422, "/data"),
        ({"data": {"type": "authors", "id": "x"}}, 404, "/data"),
    ],
)
def test_wrong_linkage(
    books: Resource[Any], document: dict[str, Any], status: int, pointer: str
) -> None:
    author = books.relationships[0]
    [(found, _, _, at)] = _refusals(lambda: parse_linkage(document, books, author, TYPES))
    assert (found, at) == (status, pointer)


@pytest.mark.parametrize("members", [{"lid": "a"}, {"id": AUTHOR, "lid": "unheard of"}])
def test_a_local_id_stands_where_there_is_no_id(
    books: Resource[Any], members: dict[str, str]
) -> None:
    document = _author({"data": {"type": "authors", **members}})
    fields = parse_new(document, books, TYPES, {("authors", "a"): UUID(AUTHOR)})
    assert fields == {"writer": Target("authors", UUID(AUTHOR))}


@pytest.mark.parametrize(
    ("lids", "detail", "pointer"),
    [
        ({("copies", "a"): UUID(AUTHOR)}, "The local id a was not given before.", "/lid"),
        (None, "The member id is required.", ""),
    ],
)
def test_a_local_id_that_stands_for_nothing(
    books: Resource[Any], lids: dict[tuple[str, str], UUID] | None, detail: str, pointer: str
) -> None:
    document = _author({"data": {"type": "authors", "lid": "a"}})
    refusals = _refusals(lambda: parse_new(document, books, TYPES, lids))
    at = f"/data/relationships/mainAuthor/data{pointer}"
    assert refusals == [(400, NON_COMPLIANT, detail, at)]


@pytest.mark.parametrize(
    "text", ["", "x", BOOK.replace("-", ""), f"{{{BOOK}}}", f"urn:uuid:{BOOK}", f"{BOOK}\n"]
)
def test_other_spellings_of_an_id_are_none(text: str) -> None:
    assert parse_id(text) is None
