"""Retry-After in both of its forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.http_dates import parse_retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta()),
        ("Thu, 01 Jan 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Thu, 01 Jan 2026 12:01:00 -0000", timedelta(minutes=1)),
        ("Thu, 01 Jan 2026 11:00:00 GMT", timedelta()),
        ("9" * 5000, timedelta(seconds=999_999_999)),
        ("0" * 20 + "30", timedelta(seconds=30)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
    ],
)
def test_a_wait(value: str, wait: timedelta | None) -> None:
    assert parse_retry_after(value, NOW) == wait
