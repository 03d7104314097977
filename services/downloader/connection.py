"""One connection to an origin: a request goes out, the head of its response comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING

import h11

from services.downloader.bodies import RECORD_BYTES, Body, body_of
from services.downloader.errors import Permanent, Transient

if TYPE_CHECKING:
    import ssl

    from services.downloader.limits import Limits
    from shared.origin.stop import Stop

MAX_HEAD_BYTES = 32 * 1024
MAX_FIELDS = 128
MAX_INTERIM = 100
_UNKNOWN_CODING = 501


class NoAnswer(Transient):
    """The origin hung up without a byte of an answer: on a used connection, no sign of trouble."""

    def __init__(self) -> None:
        super().__init__("origin_unreachable", "The origin hung up without an answer.")


class Fields(Mapping[str, str]):
    """Header fields by name in any case; of a repeated one the first."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            self._values.setdefault(name.decode("ascii").lower(), value.decode("latin-1"))

    def __getitem__(self, name: str) -> str:
        """Return the value of a field. Raises KeyError."""
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """Give the names in lower case."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._values)


class HttpResponse:
    """A response whose body is still in the connection; see Response."""

    def __init__(
        self, head: h11.Response, parser: h11.Connection, socket: ssl.SSLSocket, stop: Stop
    ) -> None:
        self.status = head.status_code
        self.headers = Fields(list(head.headers))
        self._body: Body = body_of(self.status, self.headers, parser, socket)
        self._keeps = head.http_version == b"1.1" and not any(
            name == b"connection" and b"close" in value.lower() for name, value in head.headers
        )
        self._stop = stop

    @property
    def leaves_connection_usable(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self._keeps and self._body.is_spent

    def read_into(self, buffer: memoryview, until: float = 0.0) -> int:
        """See Response."""
        try:
            count = self._body.read_into(buffer, until)
        except TimeoutError as error:
            self._stop.check()
            raise Transient("stalled", "The origin stopped sending.") from error
        except OSError as error:
            self._stop.check()
            raise Transient("truncated", "The connection broke before the end.") from error
        except h11.RemoteProtocolError as error:
            raise _invalid(error) from error
        if not count:
            self._stop.check()  # a socket that was shut down ends like a body
        return count


class Connection:
    """A TLS connection that carries one exchange after another, never two at once."""

    def __init__(self, socket: ssl.SSLSocket, limits: Limits) -> None:
        self.socket = socket
        self._limits = limits
        self._response: HttpResponse | None = None

    @property
    def is_reusable(self) -> bool:
        """Whether the last exchange is over and another may follow."""
        return self._response is not None and self._response.leaves_connection_usable

    def ask(self, request: h11.Request, stop: Stop) -> HttpResponse:
        """Send a request and wait for the final head. Raises Permanent, Transient, Stopped."""
        self._response = None
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        sent = (parser.send(request) or b"") + (parser.send(h11.EndOfMessage()) or b"")
        try:
            head = self._head(parser, sent)
        except TimeoutError as error:
            stop.check()
            raise Transient("stalled", "The origin did not answer in time.") from error
        except OSError as error:
            stop.check()
            raise (_cut_head() if parser.trailing_data[0] else NoAnswer()) from error
        except h11.RemoteProtocolError as error:
            raise _invalid(error) from error
        self.socket.settimeout(self._limits.stall_seconds)
        self._response = HttpResponse(head, parser, self.socket, stop)
        return self._response

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _head(self, parser: h11.Connection, request: bytes) -> h11.Response:
        deadline = monotonic() + self._limits.header_seconds
        self.socket.settimeout(self._limits.header_seconds)
        self.socket.sendall(request)
        for _ in range(MAX_INTERIM):
            while (event := parser.next_event()) is h11.NEED_DATA:
                parser.receive_data(self._receive(deadline))
            if isinstance(event, h11.Response):
                if len(event.headers) > MAX_FIELDS:
                    raise h11.RemoteProtocolError("too many fields")
                return event
        raise TimeoutError("interim answers without end")

    def _receive(self, deadline: float) -> bytes:
        # Every read gets what is left of the time, so that a head that drips is no way round it.
        self.socket.settimeout(max(deadline - monotonic(), 0.001))
        data = self.socket.recv(RECORD_BYTES)
        if not data:
            raise ConnectionResetError("the connection ended before the head")
        return data


def _cut_head() -> Transient:
    return Transient("origin_unreachable", "The origin hung up in the middle of its answer.")


def _invalid(error: h11.RemoteProtocolError) -> Permanent:
    if error.error_status_hint == _UNKNOWN_CODING:
        return Permanent(
            "unsupported_encoding",
            "The origin sent the file in a transfer coding that was not asked for.",
            allowed="chunked",
        )
    return Permanent("invalid_response", "The origin's answer is not valid HTTP (RFC 9112).")
