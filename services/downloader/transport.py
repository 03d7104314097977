"""What a fetch needs of HTTP, so that the client underneath can be swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager


class Response(Protocol):
    """One response whose head has arrived; header names in any case."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, by name in any case; of a repeated one the first."""

    async def read(self) -> bytes:
        """Return the next bytes of the body as they were sent, b"" at its end.

        Raises Transient when the connection breaks or stalls before the end, if that can be known.
        """


class Transport(Protocol):
    """An HTTPS client that follows nothing, decodes nothing, keeps no cookies, uses no proxy."""

    def get(self, url: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Response]:
        """Send a GET to a canonical URL and give the response; the block's end hangs up.

        Raises Permanent or Transient, with ``address_refused`` if the guard says no.
        """
