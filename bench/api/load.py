"""Load on one server: wrk for HTTP, h2load for gRPC, both of the system's packages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grpc import insecure_channel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONNECTIONS: Final = 32
_FRAME_BYTES: Final = 5
_SCRIPT: Final = Path(__file__).with_name("load.lua")
_GRPC: Final = ("-H", "content-type: application/grpc", "-H", "te: trailers")


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did: requests, seconds, latencies in ms (0 where nobody measured them)."""

    requests: int
    seconds: float
    p50: float = 0.0
    p99: float = 0.0

    @property
    def rate(self) -> float:
        """Requests in a second."""
        return self.requests / self.seconds


def missing() -> list[str]:
    """The tools that are not installed."""
    return [tool for tool in ("wrk", "h2load", "taskset") if not shutil.which(tool)]


def http(
    url: str, case: str, seconds: float, given: Mapping[str, str], connections: int = CONNECTIONS
) -> Load:
    """Ask over so many connections at once; ``given`` is what the script reads.

    Raises RuntimeError when an answer was not the expected one.
    """
    command = [
        *("wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:.0f}s"),
        *("--timeout", "10s", "-s", str(_SCRIPT), url),
    ]
    done = _run(command, os.environ | given | {"CASE": case})
    said = json.loads(done[done.index("{") :])
    if said["failed"]:
        raise RuntimeError(f"{case} at {url}: {said['failed']} of {said['requests']} failed")
    return Load(said["requests"], said["seconds"], said["p50"], said["p99"])


def grpc(server: str, method: str, message: Path, seconds: float, token: str) -> Load:
    """Make one call over and over: 32 at a time on 8 connections.

    ``message`` has the framed request. h2load sees no further than HTTP, where a refusal is 200
    too, so the call is made once by gRPC itself before. Raises RpcError when that failed, and
    RuntimeError when HTTP did.
    """
    with insecure_channel(server.removeprefix("http://")) as channel:
        sent = message.read_bytes()[_FRAME_BYTES:]
        metadata = (("authorization", f"Bearer {token}"),)
        channel.unary_unary(method)(sent, timeout=10, metadata=metadata)
    command = [
        *("h2load", "-c", "8", "-m", "4", "-D", f"{seconds:.0f}", "-d", str(message)),
        *(*_GRPC, "-H", f"authorization: Bearer {token}", server + method),
    ]
    done = _run(command, os.environ)
    counted = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored", done)
    if counted is None or counted[2] != "0" or counted[3] != "0":
        raise RuntimeError(done)
    return Load(int(counted[1]), seconds)


def framed(message: bytes) -> bytes:
    """A message as gRPC sends it: uncompressed, its length before it."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _run(command: Sequence[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - load generators
        command, check=True, capture_output=True, text=True, env=dict(environ)
    )
    return done.stdout
