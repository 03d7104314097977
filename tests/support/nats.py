"""A real nats-server for tests: a direct child with the product's configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared.bus.bus import Bus
from shared.bus.roles import Role, new_password, role_url, server_config
from tests.support.nats_client import connected
from tests.support.ports import lasting_port
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from nats.aio.client import Client

START_SECONDS = 10.0
ACK_WAIT = timedelta(seconds=1)


class NatsServer(Server):
    """One server; ``start`` after ``stop`` or ``kill`` keeps its port and its store."""

    def __init__(self, config: Path | None = None, **environment: str) -> None:
        """Choose passwords and a folder; nothing runs yet.

        A configuration of the test's own takes what it names from the environment.
        """
        self._config = config or server_config()
        self._environment = environment
        self.passwords = {role: new_password() for role in Role}
        self._folder = Path(tempfile.mkdtemp(prefix="stagedoor-nats-"))
        self._port = lasting_port()

    @property
    def environment(self) -> dict[str, str]:
        """What the configuration takes from there: the passwords, and what else it names."""
        words = {role.password_variable: word for role, word in self.passwords.items()}
        return words | self._environment

    def url(self, role: Role) -> str:
        """The address with the user and password of a role."""
        return role_url(f"nats://127.0.0.1:{self._port}", role, self.passwords[role])

    @asynccontextmanager
    async def bus(self, role: Role) -> AsyncIterator[Bus]:
        """A connection as a role, closed at the end."""
        bus = await Bus.connect(self.url(role), role)
        try:
            yield bus
        finally:
            await bus.close()

    @asynccontextmanager
    async def client(self, role: Role) -> AsyncIterator[Client]:
        """A connection of the client library itself, to see and try what ``Bus`` does not offer."""
        async with connected(self.url(role), inbox_prefix=role.inbox) as client:
            yield client

    def start(self) -> None:
        """Run the server and return when it takes connections.

        Raises RuntimeError with the server's log when it does not come up.
        """
        command = [
            *(nats_binary(), "-c", str(self._config), "-a", "127.0.0.1", "-p", str(self._port)),
            *("-sd", str(self._store), "--ports_file_dir", str(self._folder)),
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | self.environment
            )
        self._await_ready(self._process)

    def kill(self) -> None:
        """Kill it; see Server."""
        process = self._process
        super().kill()
        if process is not None:  # a killed server leaves the file, and its pid may come again
            (self._folder / f"nats-server_{process.pid}.ports").unlink(missing_ok=True)

    def wipe(self) -> None:
        """Delete the store; the server must not be running."""
        assert self._process is None
        shutil.rmtree(self._store, ignore_errors=True)

    def remove(self) -> None:
        """Kill the server and delete everything it wrote."""
        self.kill()
        shutil.rmtree(self._folder)

    @property
    def _store(self) -> Path:
        return self._folder / "store"

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        ports = self._folder / f"nats-server_{process.pid}.ports"
        until = time.monotonic() + START_SECONDS
        while not (ports.exists() and ports.stat().st_size):
            if process.poll() is not None or time.monotonic() > until:
                self.kill()
                log = (self._folder / "log").read_text(errors="replace")
                raise RuntimeError(f"nats-server did not start:\n{log[-2000:]}")
            time.sleep(0.005)


def nats_binary() -> str:
    """The server that was installed with the development requirements."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("nats-server", path=os.pathsep.join([scripts, os.environ["PATH"]]))
    assert found is not None, "nats-server is missing: install the development requirements"
    return found


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """A running server of this test's own."""
    server = NatsServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
