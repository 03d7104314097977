"""Which pages may put files from within a browser, and what they may see of the answers.

The protocol is CORS, as in the Fetch standard: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from aiohttp import hdrs

if TYPE_CHECKING:
    from aiohttp import web

ANY: Final = "*"
METHODS: Final = "DELETE, HEAD, OPTIONS, PATCH, POST, PUT"
ASKED: Final = ", ".join(
    (
        *("Authorization", "Content-MD5", "Content-Type", "Digest", "Tus-Resumable"),
        *("Upload-Checksum", "Upload-Defer-Length", "Upload-Length", "Upload-Metadata"),
        *("Upload-Offset", "X-Request-ID", "X-Requested-With"),
    )
)
"""What browsers may send besides what they always may."""
TOLD: Final = ", ".join(
    (
        *("ETag", "Location", "Retry-After", "Tus-Checksum-Algorithm", "Tus-Extension"),
        *("Tus-Max-Size", "Tus-Resumable", "Tus-Version", "Upload-Defer-Length"),
        *("Upload-Expires", "Upload-Length", "Upload-Offset"),
    )
)
"""What pages may see of an answer besides what they always may."""
_DAY: Final = str(24 * 60 * 60)


@dataclass(frozen=True, slots=True)
class Cors:
    """Lets pages of these origins in, all of them for ``*``.

    No page is let in by who its user is: a link, or the token that it sends, is its only right.
    """

    origins: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Those in a text that joins them by commas."""
        return cls(frozenset(filter(None, (each.strip().rstrip("/") for each in text.split(",")))))

    async def tell(self, request: web.Request, response: web.StreamResponse) -> None:
        """Say on an answer what the page that asks may do with it."""
        origin, is_any = request.headers.get(hdrs.ORIGIN), ANY in self.origins
        if not is_any:
            response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        if origin is None or not (is_any or origin in self.origins):
            return
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = ANY if is_any else origin
        if hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers:
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = METHODS
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ASKED
            response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = _DAY
        else:
            response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = TOLD


EVERYWHERE: Final = Cors(frozenset({ANY}))
