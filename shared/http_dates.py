"""The dates of HTTP (RFC 9110 §5.6.7), and how long a server asks to be left alone (§10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# More than a lifetime, and still a timedelta.
_MAX_SECONDS = 999_999_999


def parse_http_date(text: str) -> datetime | None:
    """A date, in UTC when it has no zone, as all of HTTP are; None for nonsense."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def parse_retry_after(text: str, now: datetime) -> timedelta | None:
    """The wait that Retry-After asks for, in seconds or as a date; None for nonsense."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0")
        # Python reads no number of thousands of digits.
        huge = len(digits) > len(str(_MAX_SECONDS))
        return timedelta(seconds=_MAX_SECONDS if huge else int(digits or "0"))
    date = parse_http_date(text)
    return None if date is None else max(date - now, timedelta())
