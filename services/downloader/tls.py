"""The TLS handshake with an origin."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING

from services.downloader.errors import Permanent, Transient

if TYPE_CHECKING:
    import socket

    from shared.origin.stop import Stop


_HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


def shake_hands(
    tcp: socket.socket, context: ssl.SSLContext, host: str, seconds: float, stop: Stop
) -> ssl.SSLSocket:
    """Return the TLS socket in place of ``tcp``, whose peer proved to be ``host``.

    Takes ``tcp`` over, also when it fails. Raises Permanent ``tls_error``, Transient
    ``origin_unreachable``, Stopped.
    """
    with ExitStack() as on_failure:
        on_failure.callback(tcp.close)
        wrapped = context.wrap_socket(tcp, server_hostname=host, do_handshake_on_connect=False)
        on_failure.callback(wrapped.close)
        wrapped.settimeout(seconds)
        try:
            with stop.closing(wrapped):
                wrapped.do_handshake()
        except OSError as error:
            stop.check()
            raise _handshake_error(error) from error
        stop.check()
        on_failure.pop_all()
    return wrapped


def _handshake_error(error: OSError) -> Permanent | Transient:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Permanent("tls_error", "The origin's certificate is not valid for this host.")
    if isinstance(error, ssl.SSLError) and not isinstance(error, _HUNG_UP):
        return Permanent("tls_error", "The origin does not speak TLS 1.2 or newer.")
    return Transient("origin_unreachable", "The origin did not complete the TLS handshake.")
