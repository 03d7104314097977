"""How long a receiver asks to be left alone (RFC 9110 §10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MAX_DIGITS = 9


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """The wait that Retry-After asks for, seconds or a date; None for nonsense."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:_MAX_DIGITS]))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone is in UTC, as all dates of HTTP are.
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return max(wait, timedelta())
