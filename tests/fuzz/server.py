"""The API as a process of its own, so that its log, its memory and its life can be watched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.bus.roles import Role
from tests.support.nats import NatsServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 30.0
KIBI = 1024

_CRY = re.compile(r"Traceback|Exception ignored|Fatal|^[EF]\d{4} ")
"""In lines that are not from our log: the interpreter's, and the gRPC library's errors."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running API; ``http`` and ``grpc`` are its ports on loopback."""

    process: subprocess.Popen[bytes]
    http: int
    grpc: int
    token: str
    log: Path

    def resident_bytes(self) -> int:
        """The memory that the process holds now."""
        with open(f"/proc/{self.process.pid}/status") as status:  # noqa: PTH123 - not a real file
            kibibytes = next(line.split()[1] for line in status if line.startswith("VmRSS:"))
        return int(kibibytes) * KIBI

    def faults(self) -> list[str]:
        """The lines of the log that tell of something nobody expected."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if _is_bad(line)]


def _is_bad(line: str) -> bool:
    try:
        event: Mapping[str, Any] = json.loads(line)
    except ValueError:
        return _CRY.search(line) is not None
    return "exception" in event or event.get("level") in {"error", "critical"}


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """The API over a new SQLite database and a broker, without workers; it must stop well."""
    broker = NatsServer()
    try:
        broker.start()
        environment = _environment(folder, broker)
        _admin(environment, "db", "upgrade")
        token = _admin(environment, "token", "create", "--name", "fuzz").strip()
        with _running_api(folder, environment, token) as server:
            yield server
    finally:
        broker.remove()


def _environment(folder: Path, broker: NatsServer) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "STAGEDOOR_DATA_DIR": str(folder),
        "STAGEDOOR_NATS_URL": broker.url(Role.API),
        "STAGEDOOR_HTTP_LISTEN": "127.0.0.1:0",
        "STAGEDOOR_GRPC_LISTEN": "127.0.0.1:0",
        "STAGEDOOR_READY_FILE": str(folder / "ready.json"),
        # A limit would answer what the code behind it should.
        "STAGEDOOR_RATE_LIMIT_PER_MINUTE": "10000000",
    }


def _admin(environment: Mapping[str, str], *arguments: str) -> str:
    command = (sys.executable, "-m", "services.api.admin", *arguments)
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


@contextmanager
def _running_api(folder: Path, environment: Mapping[str, str], token: str) -> Iterator[Server]:
    log = folder / "log"
    with log.open("wb") as sink:
        command = (sys.executable, "-m", "services.api")
        process = subprocess.Popen(command, env=environment, stdout=sink, stderr=sink)
    try:
        ready = _await_ready(folder / "ready.json", process, log)
        ports = (urlsplit(ready["http"]).port, urlsplit(f"//{ready['grpc']}").port)
        http, grpc = (port or 0 for port in ports)
        yield Server(process, http, grpc, token, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0, log.read_text(errors="replace")[-4000:]
    finally:
        process.kill()
        process.wait()


def _await_ready(path: Path, process: subprocess.Popen[bytes], log: Path) -> Any:
    until = time.monotonic() + START_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the API did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.02)
    return json.loads(path.read_text())
