"""What the head of a response means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader import heads
from services.downloader.errors import Permanent

NOW = datetime(2025, 11, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("3600", 3600),
        ("86400", 3600),
        ("9" * 18, 3600),
        ("Sat, 01 Nov 2025 12:01:00 GMT", 60),
        ("Saturday, 01-Nov-25 12:01:00 GMT", 60),
        ("Sat Nov  1 12:01:00 2025", 60),
        ("Sat, 01 Nov 2025 11:00:00 GMT", 0),
        ("Sun, 02 Nov 2025 12:00:00 GMT", 3600),
        ("Sat, 01 Nov 2025 13:01:00 +0100", 60),
    ],
)
def test_retry_after(text: str, seconds: int) -> None:
    assert heads.retry_after({"Retry-After": text}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "\u0661"])
def test_retry_after_that_says_nothing(text: str) -> None:
    assert heads.retry_after({"Retry-After": text}, NOW) is None


@given(st.text())
def test_no_field_value_does_harm(text: str) -> None:
    fields = dict.fromkeys(["Retry-After", "ETag", "Last-Modified", "Date", "Content-Range"], text)
    wait = heads.retry_after(fields, NOW)
    assert wait is None or timedelta() <= wait <= heads.MAX_RETRY_AFTER
    heads.strong_validator(fields)
    heads.content_range(fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("bytes 5-9/*", (5, 9, None)),
        ("bytes */10", (None, None, 10)),
        ("bytes 5-/10", None),
        ("items 5-9/10", None),
        ("", None),
    ],
)
def test_content_range(text: str, expected: tuple[int | None, int | None, int | None]) -> None:
    found = heads.content_range({"Content-Range": text})
    assert (found and (found.first, found.last, found.total)) == expected


def test_the_rest_of_a_file() -> None:
    assert heads.ContentRange(5, 9, 10).is_rest_from(5)
    assert not heads.ContentRange(5, 9, 10).is_rest_from(4)
    assert not heads.ContentRange(5, 8, 10).is_rest_from(5)
    assert not heads.ContentRange(5, 9, None).is_rest_from(5)


@pytest.mark.parametrize(
    ("modified", "date", "strong"),
    [
        ("Sat, 01 Nov 2025 10:00:00 GMT", "Sat, 01 Nov 2025 10:01:00 GMT", True),
        ("Sat, 01 Nov 2025 10:00:00 GMT", "Sat, 01 Nov 2025 10:00:59 GMT", False),
        ("Sat, 01 Nov 2025 10:00:00 GMT", "", False),
        ("", "Sat, 01 Nov 2025 10:00:00 GMT", False),
    ],
)
def test_dates_as_validators(modified: str, date: str, *, strong: bool) -> None:
    found = heads.strong_validator({"Last-Modified": modified, "Date": date})
    assert found == (modified if strong else None)


def test_etags_as_validators() -> None:
    assert heads.strong_validator({"ETag": '"a"'}) == '"a"'
    assert heads.strong_validator({"ETag": 'W/"a"'}) is None
    assert heads.strong_validator({"ETag": "a"}) is None


def test_content_length() -> None:
    assert heads.content_length({"Content-Length": "7"}) == 7
    assert heads.content_length({}) is None
    assert heads.content_length({"Content-Length": "7", "Transfer-Encoding": "chunked"}) is None
    for wrong in ("-7", "7, 7", "+7", "\u0667", "1e3", ""):
        with pytest.raises(Permanent):
            heads.content_length({"Content-Length": wrong})


@pytest.mark.parametrize(
    "fields",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, br"},
        {"Content-Encoding": "GZIP"},
    ],
)
def test_encodings_that_change_the_bytes(fields: dict[str, str]) -> None:
    with pytest.raises(Permanent) as caught:
        heads.check_encoding(fields)
    assert caught.value.code == "unsupported_encoding"
    assert caught.value.measured == fields["Content-Encoding"].lower()


def test_encodings_that_do_not() -> None:
    heads.check_encoding({})
    heads.check_encoding({"Content-Encoding": " Identity ", "Transfer-Encoding": "chunked"})
