"""Ports for servers that go away and come back where they were."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
_LOWEST = 10_000
_WORKERS = 8
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def lasting_port() -> int:
    """A port that is free now, and that nobody else gets: neither from here nor from the kernel.

    One that the kernel gave (ip(7)) stands open to the next connection that anybody dials while
    its server is away.
    """
    while True:
        port = next(_ports)
        with suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            return port


def _own_ports() -> Iterator[int]:
    """Those below the kernel's that this process gives, each worker of the run its own ones."""
    end = int(_EPHEMERAL.read_text("ascii").split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    mine = range(_LOWEST + worker % _WORKERS, end, _WORKERS)
    first = secrets.randbelow(len(mine))
    return cycle([*mine[first:], *mine[:first]])


_ports = _own_ports()
