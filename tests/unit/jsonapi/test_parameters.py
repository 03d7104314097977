"""What the parameters of a list mean, and how wrong ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from services.api.http.jsonapi.errors import JsonApiError
from services.api.http.jsonapi.parameters import parse_query, parse_shape, reject_parameters
from services.api.http.jsonapi.queries import Query, Shape

if TYPE_CHECKING:
    from services.api.http.jsonapi.resource import Resource

ONE = "01924f3b-2222-7000-bbbb-000000000001"
TWO = "01924f3b-2222-7000-bbbb-000000000002"


def _refusals(books: Resource[Any], *pairs: tuple[str, str]) -> list[dict[str, object]]:
    with pytest.raises(JsonApiError) as caught:
        parse_query(books, pairs, {"books": books})
    assert caught.value.status == 400
    return [error.render() for error in caught.value.errors]


def _refusal(detail: str, parameter: str) -> dict[str, object]:
    return {
        "detail": detail,
        "source": {"parameter": parameter},
        "status": "400",
        "title": "Invalid Query Parameter",
    }


def test_defaults(books: Resource[Any]) -> None:
    assert parse_query(books, (), {"books": books}) == Query(
        number=1, size=20, filters={}, others=()
    )


def test_page(books: Resource[Any]) -> None:
    query = parse_query(books, (("page[number]", "3"), ("page[size]", "100")), {"books": books})
    assert (query.number, query.size, query.skip) == (3, 100, 200)
    assert query.others == ()


WRONG_SIZES = ["0", "-1", "101", "x", "", "1.0", " 1", "1_0", "\uff11", "9" * 5000]


@pytest.mark.parametrize("text", WRONG_SIZES)
def test_wrong_page_size(books: Resource[Any], text: str) -> None:
    detail = "The page size must be a whole number between 1 and 100."
    assert _refusals(books, ("page[size]", text)) == [_refusal(detail, "page[size]")]


@pytest.mark.parametrize("text", ["0", "2147483648", "9" * 30])
def test_wrong_page_number(books: Resource[Any], text: str) -> None:
    detail = "The page number must be a whole number between 1 and 2147483647."
    assert _refusals(books, ("page[number]", text)) == [_refusal(detail, "page[number]")]


def test_filters_take_comma_lists_and_repetition(books: Resource[Any]) -> None:
    both = frozenset({UUID(ONE), UUID(TWO)})
    comma = parse_query(books, (("filter[id]", f"{ONE}, {TWO}"),), {"books": books})
    repeated = parse_query(books, (("filter[id][]", ONE), ("filter[id][]", TWO)), {"books": books})
    assert comma.filters == repeated.filters == {"ids": both}
    assert repeated.others == (("filter[id][]", ONE), ("filter[id][]", TWO))


@pytest.mark.parametrize("text", ["", "no-uuid", "01924f3b222270000bbbb000000000002"])
def test_what_cannot_match_matches_nothing(books: Resource[Any], text: str) -> None:
    assert parse_query(books, (("filter[id]", text),), {"books": books}).filters == {
        "ids": frozenset()
    }


def test_all_that_is_wrong_is_said_at_once(books: Resource[Any]) -> None:
    pairs = (("filter[b]", "1"), ("filter[a]", "1"), ("page[limit]", "1"), ("page[size]", "0"))
    more = (("include", "x.y,copy"), ("fields[books]", "copy,x"), ("fields[y]", ""), ("sort", "z"))
    assert _refusals(books, *pairs, *more, ("q", "1")) == [
        _refusal("Parameter q is not allowed.", "q"),
        _refusal("Include path x.y is not allowed.", "include"),
        _refusal("Sparse field set books.x is not allowed.", "fields"),
        _refusal("Resource type y is not recognised.", "fields"),
        _refusal("Filter parameters a, b are not allowed.", "filter"),
        _refusal("Sort parameter z is not allowed.", "sort"),
        _refusal("Page parameter limit is not allowed.", "page"),
        _refusal("The page size must be a whole number between 1 and 100.", "page[size]"),
    ]


def test_order(books: Resource[Any]) -> None:
    for text, order in (
        ("addedAt", (("added_at", False),)),
        ("-addedAt,bookTitle", (("added_at", True), ("name", False))),
        ("bookTitle, -bookTitle", (("name", False),)),
        ("", ()),
    ):
        assert parse_query(books, (("sort", text),), {"books": books}).order == order


def test_shape(books: Resource[Any]) -> None:
    pairs = (("include", "copy,mainAuthor,copy"), ("fields[books]", "copy"), ("fields[books]", ""))
    shape = parse_shape(books, pairs, {"books": books})
    assert shape.include == ("copy", "mainAuthor")
    assert shape.fields == {"books": frozenset({"copy"})}
    assert shape.given == pairs
    assert parse_shape(books, (("include", ""),), {"books": books}).include == ()
    assert parse_shape(books, (), {"books": books}) == Shape()


@pytest.mark.parametrize("name", ["sort", "page[size]", "filter[id]", "page[after]"])
def test_what_only_lists_know(books: Resource[Any], name: str) -> None:
    with pytest.raises(JsonApiError) as caught:
        parse_shape(books, ((name, "1"),), {"books": books})
    assert [error.render() for error in caught.value.errors] == [
        _refusal(f"Parameter {name} is not allowed.", name)
    ]


@pytest.mark.parametrize("name", ["filter", "page", "filter[id]x", "filter[id][a]", "Filter[id]"])
def test_misspelt_families_are_unknown_parameters(books: Resource[Any], name: str) -> None:
    assert _refusals(books, (name, "1")) == [_refusal(f"Parameter {name} is not allowed.", name)]


def test_parameters_where_none_has_a_meaning() -> None:
    reject_parameters([])
    with pytest.raises(JsonApiError) as caught:
        reject_parameters(["page[size]", "a", "a"])
    assert [error.render() for error in caught.value.errors] == [
        _refusal("Parameter a is not allowed.", "a"),
        _refusal("Parameter page[size] is not allowed.", "page[size]"),
    ]
