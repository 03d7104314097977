"""Proof that no connection was begun: a canary that listens, and an ear on every dial."""

from __future__ import annotations

import ipaddress
import select
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

_listening: list[list[str]] = []


def _hear(event: str, args: tuple[Any, ...]) -> None:
    """Note every TCP dial of this process; let none leave the machine."""
    if event != "socket.connect" or not _listening:
        return
    dialling, target = args
    if dialling.type != socket.SOCK_STREAM or dialling.family == socket.AF_UNIX:
        return
    for dials in _listening:
        dials.append(str(target[0]))
    if not ipaddress.ip_address(target[0]).is_loopback:
        raise ConnectionRefusedError("a test does not dial beyond this machine")


# For good: Python never lets an audit hook go. It does nothing while nobody listens.
sys.addaudithook(_hear)


@dataclass
class Canary:
    """Listens on loopback addresses that nobody may dial; a context manager.

    ``dials`` are the addresses of all TCP connections that this process began meanwhile, however
    it did: Python itself tells.
    """

    hosts: tuple[str, ...] = ("127.0.0.1", "127.0.0.2", "::1")
    dials: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> Self:
        """Listen on one port of every address."""
        self._stack = ExitStack()
        self._sockets = []
        for host in self.hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, self.port), family=family)
            self._sockets.append(self._stack.enter_context(listening))
            self.port = listening.getsockname()[1]
        _listening.append(self.dials)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        _listening.remove(self.dials)
        self._stack.close()

    @property
    def is_silent(self) -> bool:
        """Whether nobody has connected, not even to be accepted later."""
        return not select.select(self._sockets, [], [], 0)[0]
