"""What the head of a response means: pure functions over status and header fields (RFC 9110)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.downloader.errors import Permanent, Transient
from shared.http_dates import parse_http_date, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER = timedelta(hours=1)
# How much older than the response a date must be to count as strong: RFC 9110 §8.8.2.2 leaves it
# open, RFC 7232 §2.2.2 said 60 seconds.
_SETTLED = timedelta(seconds=60)

_RETRYABLE = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_LASTING = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})
_CONTENT_RANGE = re.compile(
    r"bytes (?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})|\*)/(?:(?P<total>[0-9]{1,18})|\*)",
    re.ASCII,
)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """A Content-Range field (RFC 9110 §14.4); ``first`` is None for an unsatisfied range."""

    first: int | None
    last: int | None
    total: int | None

    def is_rest_from(self, offset: int) -> bool:
        """Tell whether these are exactly the bytes from an offset to a known end."""
        return self.total is not None and (self.first, self.last) == (offset, self.total - 1)


def content_range(headers: Mapping[str, str]) -> ContentRange | None:
    """Read Content-Range; None if it is missing or malformed."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None:
        return None
    first, last, total = (None if text is None else int(text) for text in match.groups())
    return ContentRange(first, last, total)


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the body's length in bytes; None if it is not told. Raises Permanent."""
    text = headers.get("Content-Length")
    if text is None or "Transfer-Encoding" in headers:
        return None
    if not _LENGTH.fullmatch(text):
        raise Permanent("invalid_response", "The origin's Content-Length is not a number.")
    return int(text)


def is_framed(headers: Mapping[str, str]) -> bool:
    """Tell whether HTTP itself marks the body's end, so that a cut is noticed (RFC 9112 §6.3)."""
    return "Content-Length" in headers or "Transfer-Encoding" in headers


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return what may stand in If-Range: a strong ETag, or a date old enough to be strong.

    A weak ETag must not be used there (RFC 9110 §13.1.5).
    """
    etag = headers.get("ETag", "")
    if etag.startswith('"'):
        return etag
    modified = headers.get("Last-Modified", "")
    then, now = parse_http_date(modified), parse_http_date(headers.get("Date", ""))
    return modified if then and now and now - then >= _SETTLED else None


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Read Retry-After, in seconds or as a date, clamped to 0 to 1 hour (RFC 9110 §10.2.3)."""
    wait = parse_retry_after(headers.get("Retry-After", ""), now)
    return None if wait is None else min(wait, MAX_RETRY_AFTER)


def check_status(status: int, headers: Mapping[str, str]) -> None:
    """Let 200, 206 and 416 pass. Raises Permanent ``http_status`` or Transient ``origin_error``."""
    if status in {
        HTTPStatus.OK,
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    }:
        return
    said = f"The origin answered {status}{_phrase(status)}"
    if status in _RETRYABLE or (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR and status not in _LASTING
    ):
        raise Transient(
            "origin_error",
            f"{said}.",
            measured=str(status),
            retry_after=retry_after(headers, datetime.now(UTC)),
        )
    raise Permanent(
        "http_status",
        f"{said}; a plain GET of the URL must answer 200 with the file.",
        measured=str(status),
        allowed="200",
    )


def check_encoding(headers: Mapping[str, str]) -> None:
    """Refuse a body that is not the file's bytes as they are. Raises Permanent.

    Chunking is the transport's to undo; it knows no other transfer coding.
    """
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise Permanent(
            "unsupported_encoding",
            "The origin sent the file in an encoding that was not asked for.",
            measured=coding[:40],
            allowed="identity",
        )


def _phrase(status: int) -> str:
    return f" {HTTPStatus(status).phrase}" if status in HTTPStatus._value2member_map_ else ""
