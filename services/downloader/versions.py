"""Which file a response is of, and whether another response is of the same one."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from services.downloader import heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.downloader.transport import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of one file: its place, strong validator and size in bytes, as far as known.

    The place is the URL of the last redirect without its query, which signing renews.
    """

    place: str
    validator: str | None
    total: int | None
    takes_ranges: bool = False

    @classmethod
    def of(cls, url: str, response: Response) -> Version:
        """Read the head of a 200. Raises Permanent ``invalid_response``."""
        return cls(
            place=without_query(url),
            validator=heads.strong_validator(response.headers),
            total=heads.content_length(response.headers),
            takes_ranges=response.headers.get("Accept-Ranges", "").strip().lower() == "bytes",
        )

    def range_headers(self, first: int, last: int | None = None) -> dict[str, str]:
        """Ask for the bytes from ``first`` on, of this version only; nothing if it has no name."""
        if self.validator is None:
            return {}
        end = "" if last is None else str(last)
        return {"Range": f"bytes={first}-{end}", "If-Range": self.validator}

    def continues(self, url: str, response: Response, first: int) -> int | None:
        """Return the total if a 206 is exactly the rest from ``first``, or a 416 says: no rest."""
        answered = heads.content_range(response.headers)
        if answered is None or answered.total is None or not self._is_same(url, response.headers):
            return None
        if self.total not in {None, answered.total}:
            return None
        if response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return answered.total if answered.total == first else None
        return answered.total if answered.is_rest_from(first) else None

    def has_segment(self, url: str, response: Response, first: int, last: int) -> bool:
        """Tell whether a response is a 206 with exactly these bytes of this version."""
        answered = heads.content_range(response.headers)
        return (
            response.status == HTTPStatus.PARTIAL_CONTENT
            and answered == heads.ContentRange(first, last, self.total)
            and self._is_same(url, response.headers)
        )

    def _is_same(self, url: str, headers: Mapping[str, str]) -> bool:
        """Compare what names the file (RFC 9110 §15.3.7); a 206 may leave it out."""
        if self.validator is None or without_query(url) != self.place:
            return False
        field = "ETag" if self.validator.startswith('"') else "Last-Modified"
        return headers.get(field, self.validator) == self.validator


def without_query(url: str) -> str:
    """Where a file lives: its URL without the query."""
    return url.partition("?")[0]
