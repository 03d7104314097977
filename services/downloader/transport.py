"""What a fetch needs of HTTP, so that the client underneath can be swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from shared.origin.stop import Stop


class Response(Protocol):
    """One response whose head has arrived; used by one thread at a time."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, by name in any case; of a repeated one the first."""

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:
        """Put the next bytes of the body, free of chunking, into ``buffer``; 0 at the body's end.

        Blocks until there are any, and may go on until the buffer, which is not empty, is full or
        the moment ``until`` of the monotonic clock has come. Raises Transient ``truncated`` or
        ``stalled``, Permanent ``invalid_response``, Stopped; what came before is given first.
        """


class Transport(Protocol):
    """An HTTPS client that follows nothing, decodes nothing, keeps no cookies, uses no proxy.

    For any number of threads.
    """

    def get(
        self, url: str, headers: Mapping[str, str], stop: Stop
    ) -> AbstractContextManager[Response]:
        """Send a GET to a canonical URL and give the response. Blocks.

        Leaving the block gives the connection back if the body was read to its end, else hangs up.
        Raises Permanent or Transient, with ``address_refused`` if the guard says no; Stopped.
        """
