"""The body of a response, by its framing (RFC 9112 §6): three ways to tell where it ends."""

from __future__ import annotations

from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import h11

from services.downloader import heads
from services.downloader.errors import Permanent

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

# A TLS record holds no more (RFC 8446 §5.1), and one read gives no more than a record.
RECORD_BYTES = 16 * 1024
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Body(Protocol):
    """Bytes that end somewhere."""

    @property
    def is_spent(self) -> bool:
        """Whether nothing more will come, and nothing else did: the next response may follow."""

    def read_into(self, buffer: memoryview, until: float) -> int:
        """Put the next bytes into a buffer; 0 at the end. ``until`` is as in Response.

        Raises OSError if the connection breaks or stalls before it, h11.RemoteProtocolError.
        """


def body_of(
    status: int, headers: Mapping[str, str], parser: h11.Connection, socket: ssl.SSLSocket
) -> Body:
    """Return the body that follows a head. Raises Permanent ``invalid_response``."""
    if "Transfer-Encoding" in headers:
        if "Content-Length" in headers or parser.their_http_version != b"1.1":
            # RFC 9112 §6.1: somebody on the way may have read it otherwise.
            raise Permanent("invalid_response", "The origin frames the file in two ways at once.")
        return ChunkedBody(parser, socket)
    length = 0 if status in _BODILESS else heads.content_length(headers)
    wire = _Wire(socket, parser.trailing_data[0])
    return OpenBody(wire) if length is None else SizedBody(wire, length)


class _Wire:
    """What came in one piece with the head, then the socket."""

    def __init__(self, socket: ssl.SSLSocket, early: bytes) -> None:
        self._recv_into = socket.recv_into
        self._trouble: OSError | None = None
        self.early = memoryview(early)

    def recv_into(self, buffer: memoryview, until: float) -> int:
        """Read record after record, in one loop: a file of a megabyte has sixty of them."""
        if self._trouble is not None:
            raise self._trouble
        filled = self._take_early(buffer)
        try:
            while filled < len(buffer) and not (filled and monotonic() >= until):
                count = self._recv_into(buffer[filled:])
                if not count:
                    break
                filled += count
        except OSError as error:
            if not filled:
                raise
            self._trouble = error
        return filled

    def _take_early(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self.early))
        buffer[:count] = self.early[:count]
        self.early = self.early[count:]
        return count


class SizedBody:
    """A body of Content-Length bytes; not one more is read."""

    def __init__(self, wire: _Wire, length: int) -> None:
        self._wire = wire
        self._left = length

    @property
    def is_spent(self) -> bool:
        """Whether all bytes have come; a short body that came with the head may stay unread."""
        return self._left == len(self._wire.early)

    def read_into(self, buffer: memoryview, until: float) -> int:
        """See Body; straight from TLS into the buffer."""
        if not self._left:
            return 0
        count = self._wire.recv_into(buffer[: self._left], until)
        if not count:
            raise ConnectionResetError("the connection ended before the body")
        self._left -= count
        return count


class OpenBody:
    """A body that ends where the connection does, by whatever: it proves nothing (RFC 9112 §8)."""

    is_spent = False

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def read_into(self, buffer: memoryview, until: float) -> int:
        """See Body."""
        return self._wire.recv_into(buffer, until)


class ChunkedBody:
    """A body in chunks; its connection is not used again."""

    is_spent = False

    def __init__(self, parser: h11.Connection, socket: ssl.SSLSocket) -> None:
        self._parser = parser
        self._socket = socket
        self._patience = socket.gettimeout() or 0.0
        self._rest = memoryview(b"")
        self._ended = False

    def read_into(self, buffer: memoryview, until: float) -> int:  # noqa: ARG002 - see Body
        """See Body; all chunks that are there, as far as they fit."""
        deadline = monotonic() + self._patience
        filled = 0
        while filled < len(buffer) and not self._ended:
            filled += self._take(buffer[filled:])
            if not self._rest and not self._advance(None if filled else deadline):
                break
        return filled

    def _advance(self, deadline: float | None) -> bool:
        """Have the next chunk at hand or the end known; no deadline: only from what is here."""
        event = self._parser.next_event()
        if isinstance(event, h11.Data):
            self._rest = memoryview(event.data)
        elif event is not h11.NEED_DATA:
            self._ended = True
        elif deadline is None:
            return False
        else:
            self._receive(deadline)
        return True

    def _take(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _receive(self, deadline: float) -> None:
        # The framing between two chunks has no more time than a byte of the file has.
        self._socket.settimeout(max(deadline - monotonic(), 0.001))
        data = self._socket.recv(RECORD_BYTES)
        if not data:
            raise ConnectionResetError("the connection ended before the last chunk")
        self._parser.receive_data(data)
