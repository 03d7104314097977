"""Ports for servers that go away and come back where they were."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
_LOWEST = 10_000
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def lasting_port() -> int:
    """A port that is free now, and that the kernel gives to nobody by itself (ip(7)).

    One that it gave stands open to the next connection that anybody dials while its server is away.
    """
    end = int(_EPHEMERAL.read_text("ascii").split()[0])
    while True:
        port = _LOWEST + secrets.randbelow(end - _LOWEST)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port
