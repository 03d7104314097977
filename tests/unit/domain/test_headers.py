"""Which header fields may be set for an origin."""

from __future__ import annotations

import pytest

from services.api.domain.headers import (
    MAX_BYTES,
    MAX_FIELDS,
    SourceHeaders,
    is_too_much,
    kept_headers,
    wrong_headers,
)


def codes(**fields: object) -> list[str]:
    return [each.code for each in wrong_headers(fields)]


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Api-Key", "cookie", "Accept", "!#$%&'*+.^_`|~"]
)
def test_these_may_be_set(name: str) -> None:
    assert codes(**{name: "value"}) == []


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "hOsT",
        "Content-Length",
        "Content-Type",
        "Content-anything",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Connection",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Upgrade",
        "Range",
        "If-Range",
        "If-None-Match",
        "Accept-Encoding",
        "Expect",
        "User-Agent",
    ],
)
def test_these_are_the_downloader_s_own(name: str) -> None:
    assert codes(**{name: "value"}) == ["header_refused"]


@pytest.mark.parametrize(
    "name", ["", " ", "X Y", "X:", "X\r\nHost", "X\n", "Ä", "X\x00", "(X)", "X\ud800"]
)
def test_these_are_no_names(name: str) -> None:
    assert codes(**{name: "value"}) == ["invalid"]


@pytest.mark.parametrize("value", ["v", "a b", "a\tb", " padded\t", "~!", "Basic dTpw", "v" * 8000])
def test_these_are_values(value: str) -> None:
    assert codes(X=value) == []
    assert kept_headers({"X": value}).fields == {"X": value.strip()}


@pytest.mark.parametrize(
    "value",
    ["", " ", "a\rb", "a\nb", "a\r\nHost: b", "a\x00", "a\x7f", "ä", "\ud800", 1, None, ["a"]],
)
def test_these_are_none(value: object) -> None:
    assert codes(X=value) == ["invalid"]


def test_a_name_counts_once_however_it_is_written() -> None:
    wrong = [*wrong_headers({"X-Key": "1", "Y": "2", "x-KEY": "3"})]
    assert [(each.name, each.code) for each in wrong] == [("x-KEY", "invalid")]


def test_what_is_wrong_is_told_without_its_value() -> None:
    (wrong,) = wrong_headers({"X": "secret\n"})
    assert "secret" not in repr(wrong)
    assert "secret" not in repr(SourceHeaders({"X": "secret"}))


def test_too_many_and_too_long() -> None:
    assert not is_too_much({f"X{n:02}": "" for n in range(MAX_FIELDS)})
    assert is_too_much({f"X{n:02}": "" for n in range(MAX_FIELDS + 1)})
    assert not is_too_much({"X": "v" * (MAX_BYTES - 1)})
    assert is_too_much({"X": "v" * MAX_BYTES})
    assert is_too_much({"X": "ä" * (MAX_BYTES // 2)})
