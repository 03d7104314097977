"""A transport as the downloader has it, for tests that look at single responses."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from services.downloader.errors import FetchError, Permanent
from services.downloader.http import HttpTransport
from services.downloader.limits import Limits
from shared.origin import OriginPolicy
from shared.origin.guard import AddressGuard
from shared.origin.stop import Stop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    from services.downloader.transport import Response

LOOPBACK = OriginPolicy.from_settings("127.0.0.1/32", "1-65535")
QUICK = Limits(connect_seconds=2, header_seconds=2, stall_seconds=2)


class SpyGuard(AddressGuard):
    """Resolves by a table; notes what was asked and what was dialled."""

    def __init__(self, policy: OriginPolicy, names: Mapping[str, list[str]]) -> None:
        super().__init__(policy, resolve=self._look)
        self.names = names
        self.asked: list[str] = []

    def _look(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.names[host]


@dataclass
class Client:
    """Asks an origin; every name is on 127.0.0.1 unless ``names`` says otherwise."""

    tls: ssl.SSLContext
    limits: Limits = QUICK
    guard: AddressGuard = field(default_factory=lambda: AddressGuard(LOOPBACK))
    stop: Stop = field(default_factory=Stop)

    @contextmanager
    def opened(self) -> Iterator[HttpTransport]:
        """Give the transport itself, for more than one request."""
        with HttpTransport(self.guard, self.tls, self.limits, "Stagedoor/test") as transport:
            yield transport

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Return the status and the whole body of one request."""
        with self.opened() as transport, transport.get(url, headers or {}, self.stop) as response:
            return response.status, body(response)

    def failure(self, url: str) -> str:
        """Return how a request fails: its kind and code."""
        with pytest.raises(FetchError) as caught:
            self.get(url)
        kind = "permanent" if isinstance(caught.value, Permanent) else "transient"
        return f"{kind} {caught.value.code}"


def body(response: Response, buffer_bytes: int = 256 * 1024) -> bytes:
    """Read a body to its end."""
    read = bytearray()
    buffer = memoryview(bytearray(buffer_bytes))
    while count := response.read_into(buffer):
        read += buffer[:count]
    return bytes(read)
