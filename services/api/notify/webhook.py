"""Webhooks: one signed POST over TLS, behind the address guard; nothing is followed or kept."""

from __future__ import annotations

import ssl
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from time import monotonic, time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import h11

from services.api.domain.subscriptions import Outcome
from services.api.notify.signature import sign
from shared.http_dates import parse_retry_after
from shared.origin import OriginRefused
from shared.origin.policy import HTTPS_PORT
from shared.origin.stop import run_stoppable

if TYPE_CHECKING:
    from services.api.domain.subscriptions import Outgoing
    from shared.origin.guard import AddressGuard
    from shared.origin.stop import Stop

SECONDS: Final = 15.0
"""For the whole attempt, from the lookup to the answer."""
MAX_HEAD_BYTES: Final = 16 * 1024
MAX_BODY_BYTES: Final = 4 * 1024
"""So much of an answer is taken, so that a receiver sees its small answer arrive; none is kept."""

_GONE = 410
_HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_REDIRECT = range(300, 400)
_SUCCESS = range(200, 300)
_UNREADABLE = Outcome(error="secret_unreadable")


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """Sends to HTTPS targets."""

    guard: AddressGuard
    tls: ssl.SSLContext
    seconds: float = SECONDS

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Make one attempt; whatever comes of it is the outcome."""
        if outgoing.secrets == ():
            return _UNREADABLE
        return await run_stoppable(lambda stop: self._attempt(outgoing, stop), name="webhook")

    def _attempt(self, outgoing: Outgoing, stop: Stop) -> Outcome:
        deadline = monotonic() + self.seconds
        try:
            with ExitStack() as stack:
                return self._exchange(outgoing, deadline, stop, stack)
        except (OriginRefused, OSError, h11.RemoteProtocolError) as error:
            return Outcome(error=_code_of(error))
        finally:
            stop.check()

    def _exchange(
        self, outgoing: Outgoing, deadline: float, stop: Stop, stack: ExitStack
    ) -> Outcome:
        parts = urlsplit(outgoing.target)
        host, port = parts.hostname or "", parts.port or HTTPS_PORT
        tcp = stack.enter_context(self.guard.dial(host, port, self.seconds, stop))
        wrapped = self.tls.wrap_socket(tcp, server_hostname=host, do_handshake_on_connect=False)
        socket = stack.enter_context(wrapped)
        stack.enter_context(stop.closing(socket))
        socket.settimeout(_left(deadline))
        socket.do_handshake()
        exchange = _Exchange(socket, deadline)
        exchange.send(_request(outgoing), outgoing.body)
        head = exchange.head()
        with suppress(OSError, h11.RemoteProtocolError):  # the head has said it
            exchange.skip_body()
        return _judged(head)


class _Exchange:
    """One request and its answer on a connection; every wait gets what is left of the time."""

    def __init__(self, socket: ssl.SSLSocket, deadline: float) -> None:
        self._socket = socket
        self._deadline = deadline
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)

    def send(self, request: h11.Request, body: bytes) -> None:
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        data = b"".join(self._parser.send(event) or b"" for event in events)
        self._socket.settimeout(_left(self._deadline))
        self._socket.sendall(data)

    def head(self) -> h11.Response:
        taken = 0
        while taken <= MAX_HEAD_BYTES:
            while (event := self._parser.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Response):
                    return event
            taken += self._receive()
        raise h11.RemoteProtocolError("a head without end")

    def skip_body(self) -> None:
        taken = 0
        while taken < MAX_BODY_BYTES:
            event = self._parser.next_event()
            if isinstance(event, h11.Data):
                taken += len(event.data)
            elif event is h11.NEED_DATA:
                self._receive()
            else:
                return

    def _receive(self) -> int:
        self._socket.settimeout(_left(self._deadline))
        data = self._socket.recv(MAX_BODY_BYTES)
        if not data:
            raise ConnectionResetError("the connection ended")
        self._parser.receive_data(data)
        return len(data)


def _code_of(error: Exception) -> str:
    match error:
        case OriginRefused():
            return error.code
        case TimeoutError():
            return "timeout"
        case ssl.SSLError() if not isinstance(error, _HUNG_UP):
            return "tls_error"
        case OSError():
            return "connection_failed"
        case _:
            return "invalid_response"


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _request(outgoing: Outgoing) -> h11.Request:
    parts = urlsplit(outgoing.target)
    id_, timestamp = str(outgoing.event_id), int(time())
    fields = {
        "Host": parts.netloc,
        "User-Agent": f"Stagedoor/{version('stagedoor')}",
        "Content-Type": "application/json",
        "Content-Length": str(len(outgoing.body)),
        "Connection": "close",
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
    }
    if outgoing.secrets:
        signature = sign(outgoing.secrets, id_, timestamp, outgoing.body)
        fields["webhook-signature"] = signature
    # The path and query as they are, byte for byte.
    target = outgoing.target.removeprefix(f"https://{parts.netloc}")
    return h11.Request(method="POST", target=target, headers=list(fields.items()))


def _judged(head: h11.Response) -> Outcome:
    status = head.status_code
    if status in _SUCCESS:
        return Outcome(status=status)
    if status == _GONE:
        return Outcome(error="gone", status=status, gone=True)
    asked = next((value for name, value in head.headers if name == b"retry-after"), b"")
    return Outcome(
        error="redirected" if status in _REDIRECT else "bad_status",
        status=status,
        retry_after=parse_retry_after(asked.decode("latin-1"), datetime.now(UTC)),
    )
