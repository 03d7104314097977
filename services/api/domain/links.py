"""Links of our own to the bytes of a record: whoever holds one needs no token until it expires."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

PURPOSE = b"stagedoor download links 1"
"""What the deployment's secret keys are derived for."""
EXPIRED, INVALID = "link_expired", "link_invalid"


class LinkRefused(Exception):  # noqa: N818 - an answer, not a fault
    """The link opens nothing; ``code`` says why, for programs."""

    def __init__(self, code: str, detail: str) -> None:
        """Take the code and one sentence for people."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A URL that gives a record's bytes to anybody until ``expires_at``; ``id`` is its own."""

    id: UUID
    url: str
    expires_at: datetime
    ttl_seconds: int


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with the first key; what any of the keys has signed is good."""

    keys: tuple[bytes, ...] = field(repr=False)

    def sign(self, id_: UUID, expires: int) -> str:
        """The signature of a record's link that expires then, in seconds of Unix time.

        HMAC-SHA-256 (RFC 2104) in the URL's alphabet of Base64 without padding (RFC 4648).
        """
        return _signature(self.keys[0], id_, str(expires)).decode()

    def check(self, id_: UUID, expires: str, signature: str, now: datetime) -> None:
        """Raise LinkRefused unless the link is ours and has not expired.

        Nothing is said of the time of a link that is not ours.
        """
        given = signature.encode(errors="replace")
        # Every key is tried whatever the first says, and every comparison takes the same time.
        good = [hmac.compare_digest(given, _signature(key, id_, expires)) for key in self.keys]
        if not any(good):
            raise LinkRefused(INVALID, "This link is not one that was given out.")
        # What we have signed is a number.
        if now.timestamp() >= int(expires):
            raise LinkRefused(EXPIRED, "This link has expired. Ask for a new one.")


def _signature(key: bytes, id_: UUID, expires: str) -> bytes:
    digest = hmac.digest(key, f"{id_}\n{expires}".encode(errors="replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=")
