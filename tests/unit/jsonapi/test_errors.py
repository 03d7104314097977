"""How the core's refusals read in a resource's own names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from services.api.domain import errors as domain
from services.api.domain.errors import (
    InUse,
    InvalidFields,
    KeyReused,
    RateLimited,
    Refusal,
    RelatedNotFound,
    Violation,
)
from services.api.http.jsonapi.dialect import STANDARD
from services.api.http.jsonapi.errors import Error, JsonApiError, from_refusal, in_names_of
from services.api.http.jsonapi.resource import label

if TYPE_CHECKING:
    from services.api.http.jsonapi.resource import Resource


def _render(books: Resource[Any], refusal: Refusal, pointer: str | None = None) -> JsonApiError:
    with pytest.raises(JsonApiError) as caught, in_names_of(books, pointer):
        raise refusal
    return caught.value


def test_member_by_member(books: Resource[Any]) -> None:
    error = _render(books, InvalidFields(Violation("shelf_mark", "taken", "Taken.")))
    assert msgspec.json.encode(STANDARD.refusal(error)) == (
        b'{"jsonapi":{"version":"1.0"},"errors":[{'
        b'"detail":"The shelf mark has already been taken.",'
        b'"source":{"pointer":"/data/attributes/shelfMark"},'
        b'"status":"422","title":"Unprocessable Entity"}]}'
    )


@pytest.mark.parametrize(
    ("field", "code", "detail", "pointer"),
    [
        ("name", "required", "The book title field is required.", "attributes/bookTitle"),
        ("name", "invalid", "The book title field must be words.", "attributes/bookTitle"),
        (
            "name",
            "too_long",
            "The book title field must not be greater than 40 characters.",
            "attributes/bookTitle",
        ),
        (
            "shelf_mark",
            "invalid",
            "The shelf mark field format is invalid.",
            "attributes/shelfMark",
        ),
        (
            "name",
            "not_https",
            "The book title field must be an HTTPS URL.",
            "attributes/bookTitle",
        ),
        (
            "name",
            "address_refused",
            "The book title field must not lead to a private or reserved address.",
            "attributes/bookTitle",
        ),
        (
            "name",
            "port_refused",
            "The book title field must not use this port.",
            "attributes/bookTitle",
        ),
        (
            "writer",
            "required",
            "The main author field is required.",
            "relationships/mainAuthor",
        ),
        ("writer", "dead", "As the core says.", "relationships/mainAuthor"),
    ],
)
def test_violations(books: Resource[Any], field: str, code: str, detail: str, pointer: str) -> None:
    error = _render(books, InvalidFields(Violation(field, code, "As the core says.")))
    assert error.errors == (Error(422, detail, pointer=f"/data/{pointer}"),)


def test_every_violation_is_listed(books: Resource[Any]) -> None:
    violations = (Violation("name", "required", ""), Violation("tenant", "odd", "Odd."))
    error = _render(books, InvalidFields(*violations))
    assert error.status == 422
    assert [(e.detail, e.pointer) for e in error.errors] == [
        ("The book title field is required.", "/data/attributes/bookTitle"),
        ("Odd.", "/data"),
    ]


def test_related_not_found(books: Resource[Any]) -> None:
    refusal = RelatedNotFound("writer", "authors", 1)
    text = "The related resource does not exist."
    whole, part = _render(books, refusal), _render(books, refusal, "/data")
    assert whole.errors == (Error(404, text, pointer="/data/relationships/mainAuthor"),)
    assert part.errors == (Error(404, text, pointer="/data"),)


def test_when_to_come_back() -> None:
    error = from_refusal(RateLimited(timedelta(seconds=1.2)))
    assert error.headers == {"Retry-After": "2"}


def test_an_error_about_a_header() -> None:
    [error] = from_refusal(KeyReused()).errors
    assert error.render()["source"] == {"header": "Idempotency-Key"}


def test_every_refusal_has_a_status() -> None:
    expected = {
        "InvalidFields": 422,
        "InvalidQuery": 400,
        "NotFound": 404,
        "RelatedNotFound": 404,
        "StateConflict": 409,
        "InUse": 409,
        "TooManySubscriptions": 409,
        "QuotaExceeded": 507,
        "Unauthenticated": 401,
        "ScopeMissing": 403,
        "Unavailable": 503,
        "EtagMismatch": 412,
        "KeyReused": 422,
        "RateLimited": 429,
        "OperationRefused": 409,
    }
    arguments: dict[str, tuple[Any, ...]] = {
        "InvalidQuery": ("skip", "Too far."),
        "NotFound": ("tracks", "1"),
        "RelatedNotFound": ("target", "tracks", "1"),
        "ScopeMissing": ("tasks:read",),
        "RateLimited": (timedelta(seconds=1.5),),
        "OperationRefused": (1, InUse()),
    }
    kinds = [kind for kind in Refusal.__subclasses__() if kind.__module__ == domain.__name__]
    assert {kind.__name__ for kind in kinds} == expected.keys()
    for name, status in expected.items():
        refusal = getattr(domain, name)(*arguments.get(name, ()))
        assert from_refusal(refusal).status == status


def test_headers_of_refusals() -> None:
    assert from_refusal(domain.KeyReused()).headers is None
    assert from_refusal(domain.Unavailable()).headers == {"Retry-After": "1"}


def test_several_statuses_become_the_most_general() -> None:
    assert JsonApiError(Error(403, ""), Error(409, "")).status == 400
    assert JsonApiError(Error(409, ""), Error(409, "")).status == 409


@pytest.mark.parametrize(
    ("name", "words"),
    [("url", "url"), ("secondaryIsrc", "secondary isrc"), ("declaredMd5", "declared md5")],
)
def test_labels(name: str, words: str) -> None:
    assert label(name) == words
