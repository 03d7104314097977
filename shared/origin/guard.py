"""The address guard: no connection is begun to an address that the policy refuses.

Three lines, each enough alone for what it sees: a name is refused if any of its addresses is bad;
the socket factory refuses every address about to be dialled, literals included; and what the
socket is connected to is looked at before a byte is sent.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from time import monotonic
from typing import TYPE_CHECKING

from shared.origin import OriginPolicy, OriginRefused
from shared.origin.addresses import parse_address
from shared.origin.hosts import is_localhost
from shared.origin.lookup import lookup, system_resolve
from shared.origin.refused import ADDRESS_REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.origin.lookup import Resolve
    from shared.origin.stop import Stop

_DISCARD = 9


class DialRefused(OriginRefused):
    """No connection is begun, or none is used, to where this would lead."""

    def __init__(self) -> None:
        super().__init__("address_refused", ADDRESS_REFUSED)


def is_own_address(address: str) -> bool:
    """Tell whether an address belongs to an interface of this machine. Sends nothing.

    To reach one of its own addresses the kernel uses that address as the source too.
    """
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, _DISCARD))
        except OSError:
            return False
        return str(probe.getsockname()[0]) == address


class AddressGuard:
    """Judges addresses by the policy, and refuses this machine's own public ones.

    ``resolve`` gives every address of a name; ``is_own`` knows the machine's interfaces. For any
    number of threads.
    """

    def __init__(
        self,
        policy: OriginPolicy,
        *,
        resolve: Resolve = system_resolve,
        is_own: Callable[[str], bool] = is_own_address,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._is_own = is_own

    def allows(self, address: str) -> bool:
        """Tell whether a connection to this address may be begun."""
        plain = parse_address(address)
        if plain is None or not self._policy.allows(plain):
            return False
        return self._policy.exempts(plain) or not self._is_own(str(plain))

    def allows_peer(self, connected: socket.socket) -> bool:
        """Tell whether a socket is connected to where a connection may be begun now."""
        try:
            return self.allows(str(connected.getpeername()[0]))
        except OSError:
            return False

    def addresses(self, host: str, seconds: float, stop: Stop) -> list[str]:
        """Return all addresses of a name or literal, each once, in their plainest form.

        Raises DialRefused if any is bad, OSError if there are none in time, Stopped.
        """
        if parse_address(host) is not None:
            found = [host]
        elif is_localhost(host):
            found = list(self._policy.loopback()) or [""]
        elif not (found := lookup(self._resolve, host, seconds, stop)):
            raise OSError("no address")
        if not all(map(self.allows, found)):
            raise DialRefused
        return list(dict.fromkeys(str(parse_address(address)) for address in found))

    def open_socket(self, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        """Make the socket that will be connected to an address. Raises DialRefused, OSError."""
        if not (self.allows(address) and self._policy.allows_port(port)):
            raise DialRefused
        return socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)

    def dial(self, host: str, port: int, seconds: float, stop: Stop) -> socket.socket:
        """Return a TCP socket that is connected to a host; one lookup, one address after another.

        What is looked up is what is dialled. Raises DialRefused, OSError, Stopped.
        """
        deadline = monotonic() + seconds
        addresses = self.addresses(host, seconds, stop)
        failure = OSError("no address")
        for tried, address in enumerate(addresses):
            # An address that nobody answers leaves their share of the time to those after it.
            share = (deadline - monotonic()) / (len(addresses) - tried)
            try:
                return self._connect(address, port, share, stop)
            except OSError as error:
                stop.check()
                failure = error
        raise failure

    def _connect(self, address: str, port: int, seconds: float, stop: Stop) -> socket.socket:
        if seconds <= 0:
            raise TimeoutError("no time is left to connect")
        with ExitStack() as on_failure:
            opened = on_failure.enter_context(self.open_socket(_family(address), address, port))
            opened.settimeout(seconds)
            with stop.closing(opened):
                opened.connect((address, port))
            stop.check()
            if not self.allows_peer(opened):
                raise DialRefused
            on_failure.pop_all()
        return opened


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
