"""The address guard: no connection is begun to an address that the policy refuses.

Three lines, each enough alone for what it sees: the resolver refuses a name if any of its answers
is bad; the socket factory refuses every address about to be dialled, literals included; and what
the socket is connected to is looked at before a byte of the request is sent.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.origin import OriginPolicy, OriginRefused
from shared.origin.addresses import parse_address
from shared.origin.hosts import is_localhost
from shared.origin.refused import ADDRESS_REFUSED

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from aiohappyeyeballs import AddrInfoType
    from aiohttp import ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    Resolve = Callable[[str], Awaitable[list[str]]]

_DISCARD = 9


def _refused() -> OriginRefused:
    return OriginRefused("address_refused", ADDRESS_REFUSED)


class DialRefused(OriginRefused, OSError):  # noqa: N818 - as OriginRefused
    """As OriginRefused; an OSError too, because that is what dialling code lets pass."""

    def __init__(self) -> None:
        super().__init__("address_refused", ADDRESS_REFUSED)


async def system_resolve(host: str) -> list[str]:
    """Ask the system's resolver for every address of a name. Raises OSError."""
    loop = asyncio.get_running_loop()
    answers = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def is_own_address(address: str) -> bool:
    """Tell whether an address belongs to an interface of this machine. Sends nothing.

    To reach one of its own addresses the kernel uses that address as the source too.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, _DISCARD))
        except OSError:
            return False
        return str(probe.getsockname()[0]) == address


class AddressGuard:
    """Judges addresses by the policy, and refuses this machine's own public ones.

    ``resolve`` gives every address of a name; ``is_own`` knows the machine's interfaces.
    """

    def __init__(
        self,
        policy: OriginPolicy,
        *,
        resolve: Resolve = system_resolve,
        is_own: Callable[[str], bool] = is_own_address,
    ) -> None:
        self.policy = policy
        self._resolve = resolve
        self._is_own = is_own

    def allows(self, address: str) -> bool:
        """Tell whether a connection to this address may be begun."""
        plain = parse_address(address)
        if plain is None or not self.policy.allows(plain):
            return False
        return self.policy.exempts(plain) or not self._is_own(str(plain))

    async def addresses(self, host: str) -> list[str]:
        """Return all addresses of a name. Raises OriginRefused if any is bad, OSError if none."""
        if is_localhost(host):
            found = list(self.policy.loopback())
        elif not (found := await self._resolve(host)):
            raise OSError("no address")
        if not found or not all(map(self.allows, found)):
            raise _refused()
        return list(dict.fromkeys(found))

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """Make the socket that will be connected to ``info``. Raises OriginRefused."""
        family, kind, protocol, _, target = info
        if not (self.allows(str(target[0])) and self.policy.allows_port(int(target[1]))):
            raise DialRefused
        return socket.socket(family, kind, protocol)


class GuardedResolver(AbstractResolver):
    """The first line: names."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - every family is judged
    ) -> list[ResolveResult]:
        """Resolve once; what is returned is what is dialled. Raises OriginRefused, OSError."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.addresses(host)
        ]

    async def close(self) -> None:
        """Hold nothing, free nothing."""


class GuardedConnector(TCPConnector):
    """Dials through the guard, one lookup and one connection per request.

    Connections are not reused, so that bytes after a body's end cannot become the next response.
    """

    def __init__(self, guard: AddressGuard, tls: ssl.SSLContext) -> None:
        super().__init__(
            resolver=GuardedResolver(guard),
            use_dns_cache=False,
            socket_factory=guard.open_socket,
            ssl=tls,
            force_close=True,
            limit=0,
        )
        self._guard = guard

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature
    ) -> Connection:
        """Connect, and look who answered before the request is sent. Raises OriginRefused."""
        connection = await super().connect(req, traces, timeout)
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if peer is None or not self._guard.allows(str(peer[0])):
            connection.close()
            raise _refused()
        return connection
