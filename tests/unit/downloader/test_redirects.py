"""Redirects, hop by hop, and who is told the credentials."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from services.downloader.errors import Permanent
from services.downloader.redirects import MAX_REDIRECTS, follow, next_hop
from shared.origin import OriginPolicy
from shared.origin.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PUBLIC = OriginPolicy.from_settings("", "443,8443")
START = "https://a.example/start?token=1"
SECRET = {"Authorization": "Bearer x"}
RANGE = {"Range": "bytes=5-", "If-Range": '"v1"'}


@dataclass
class Answer:
    """A head without a body."""

    status: int
    headers: dict[str, str]

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:
        del buffer, until
        return 0


@dataclass
class Web:
    """A transport over a table of redirects; notes what it was asked."""

    moved: Mapping[str, str]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    inside: int = 0

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Iterator[Answer]:
        del stop
        self.asked.append((url, dict(headers)))
        assert not self.inside, "a hop must let go of its connection before the next"
        self.inside += 1
        location = self.moved.get(url)
        yield Answer(302, {"Location": location}) if location is not None else Answer(200, {})
        self.inside -= 1


def followed(web: Web) -> tuple[str, int]:
    with follow(web, PUBLIC, START, SECRET, RANGE, Stop()) as (url, response):
        return url, response.status


def test_credentials_stay_at_home() -> None:
    web = Web({START: "/two", "https://a.example/two": "https://A.example:443/three"})
    assert followed(web) == ("https://a.example/three", 200)
    assert [headers for _, headers in web.asked] == [SECRET | RANGE] * 3


@pytest.mark.parametrize(
    "away",
    [
        "https://b.example/",
        "https://a.example:8443/start",
        "https://a.example.b.example/",
        "https://sub.a.example/",
        "//b.example/start",
    ],
)
def test_credentials_are_dropped_for_good(away: str) -> None:
    there = next_hop(PUBLIC, START, away)
    web = Web({START: away, there: "https://a.example/back", "https://a.example/back": "/end"})
    assert followed(web) == ("https://a.example/end", 200)
    assert [headers for _, headers in web.asked] == [SECRET | RANGE, RANGE, RANGE, RANGE]


def test_too_many() -> None:
    web = Web({START: START})
    with pytest.raises(Permanent) as caught:
        followed(web)
    assert (caught.value.code, caught.value.allowed) == ("redirect_refused", str(MAX_REDIRECTS))
    assert len(web.asked) == MAX_REDIRECTS + 1


def test_as_many_as_allowed() -> None:
    moved = {START: "/1"} | {f"https://a.example/{n}": f"/{n + 1}" for n in range(1, MAX_REDIRECTS)}
    assert followed(Web(moved)) == (f"https://a.example/{MAX_REDIRECTS}", 200)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("two", "https://a.example/two"),
        ("?x=1", "https://a.example/start?x=1"),
        ("../../up", "https://a.example/up"),
        ("//b.example/x", "https://b.example/x"),
        ("https://B.EXAMPLE/x#part", "https://b.example/x"),
        ("/a%0d%0aX:y", "https://a.example/a%0d%0aX:y"),
        ("/\u00e9", "https://a.example/%C3%A9"),
    ],
)
def test_where_a_redirect_leads(location: str, expected: str) -> None:
    assert next_hop(PUBLIC, START, location) == expected


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("", "redirect_refused"),
        ("http://b.example/", "redirect_refused"),
        ("https://u:p@b.example/", "redirect_refused"),
        ("https://b.example:22/", "redirect_refused"),
        ("/a b", "redirect_refused"),
        ("/a\tb", "redirect_refused"),
        ("\\\\b.example", "redirect_refused"),
        ("/" + "a" * 3000, "redirect_refused"),
        ("https://127.1/", "redirect_refused"),
        ("https://127.0.0.1/", "address_refused"),
        ("//[::1]/", "address_refused"),
        ("https://localhost/", "address_refused"),
    ],
)
def test_where_no_redirect_leads(location: str, code: str) -> None:
    with pytest.raises(Permanent) as caught:
        next_hop(PUBLIC, START, location)
    assert caught.value.code == code
    assert not any(part in caught.value.detail for part in ("127", "b.example", "token"))
