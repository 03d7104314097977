"""HTTPS over blocking sockets, behind the address guard."""

from __future__ import annotations

import errno
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Self

from services.downloader.connection import Connection, HttpResponse, NoAnswer
from services.downloader.errors import Permanent, Transient
from services.downloader.pool import Pool
from services.downloader.request import Place, get_request, place_of
from services.downloader.tls import shake_hands
from shared.origin import OriginRefused

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    import h11

    from services.downloader.limits import Limits
    from shared.origin.guard import AddressGuard
    from shared.origin.stop import Stop


class HttpTransport:
    """A Transport over TLS sockets; a context manager that hangs up at its end.

    ``connect_seconds`` of the limits are for lookup, TCP and TLS together, ``header_seconds`` for
    the whole head whatever comes before it, ``stall_seconds`` for each wait for bytes of the body.
    """

    def __init__(
        self, guard: AddressGuard, tls: ssl.SSLContext, limits: Limits, user_agent: str
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._limits = limits
        self._user_agent = user_agent
        self._pool = Pool(guard)

    def __enter__(self) -> Self:
        """Nothing is opened before the first request."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection that is kept."""
        self._pool.close()

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str], stop: Stop) -> Iterator[HttpResponse]:
        """Send a GET; see Transport."""
        request = get_request(url, headers, self._user_agent)
        with ExitStack() as stack:
            yield self._answered(place_of(url), request, stop, stack)

    def _answered(
        self, place: Place, request: h11.Request, stop: Stop, stack: ExitStack
    ) -> HttpResponse:
        """Ask on a kept connection, else on a new one, which ``stack`` then takes leave of."""
        while (kept := self._pool.take(place)) is not None:
            # It may have been closed just now, before the request came: RFC 9110 §9.2.2.
            with suppress(NoAnswer):
                return self._ask(kept, place, request, stop, stack)
        return self._ask(self._connect(place, stop), place, request, stop, stack)

    def _ask(
        self,
        connection: Connection,
        place: Place,
        request: h11.Request,
        stop: Stop,
        stack: ExitStack,
    ) -> HttpResponse:
        with ExitStack() as own:
            own.callback(self._leave, place, connection)
            own.enter_context(stop.closing(connection.socket))
            response = connection.ask(request, stop)
            stack.enter_context(own.pop_all())
        return response

    def _leave(self, place: Place, connection: Connection) -> None:
        if connection.is_reusable:
            self._pool.give(place, connection)
        else:
            connection.close()

    def _connect(self, place: Place, stop: Stop) -> Connection:
        deadline = monotonic() + self._limits.connect_seconds
        tcp = self._dial(place, stop)
        left = max(deadline - monotonic(), 0.001)
        return Connection(shake_hands(tcp, self._tls, place.host, left, stop), self._limits)

    def _dial(self, place: Place, stop: Stop) -> socket.socket:
        try:
            return self._guard.dial(place.host, place.port, self._limits.connect_seconds, stop)
        except OriginRefused as refusal:
            raise Permanent(refusal.code, refusal.detail) from refusal
        except TimeoutError as error:
            raise Transient("origin_unreachable", "The origin did not answer in time.") from error
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                raise  # it is us who cannot, and the runtime hands the job back
            raise Transient("origin_unreachable", "The origin could not be reached.") from error
