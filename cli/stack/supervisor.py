"""Start everything in order, keep it running, stop it in order."""

from __future__ import annotations

import asyncio
import fcntl
import json
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.location import READY_FILE
from cli.stack.child import Child, StartError, say
from cli.stack.services import ApiService, NatsServer, PythonService
from cli.stack.together import at_most, spare_cores, together
from shared.bus.roles import Role
from shared.private import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RESTORING = "restore.partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user chose: an absolute data folder, where to listen, how many workers."""

    data_dir: Path
    http: str
    grpc: str
    downloaders: int = 1
    validators: int = 1
    publishers: int = 1
    ready_file: Path | None = None


class Supervisor:
    """The embedded stack of one data folder."""

    def __init__(self, options: Options, environ: Mapping[str, str]) -> None:
        """Take the options and the environment; what the user set there wins."""
        self._options = options
        self._env = environment(options, environ)
        self._run = options.data_dir / "run"
        self._token_file = options.data_dir / "token"
        self._ready_files = [options.data_dir / READY_FILE]
        if options.ready_file:
            self._ready_files.append(options.ready_file)
        self._broker: NatsServer | None = None
        self._nats: list[Child] = []
        self._api: list[Child] = []
        self._fleets: dict[Role, list[Child]] = {}
        self._token = ""
        self._is_ready = False

    async def run(self) -> None:
        """Run the stack until SIGTERM or SIGINT; a second signal kills what has not stopped.

        Raises StartError when a part of it never became ready, or the folder is in use.
        """
        for folder in (self._options.data_dir, self._run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self._options.data_dir / "lock"), _signals_cancel(asyncio.current_task()):
            _require_whole(self._options.data_dir)
            try:
                await self._start()
                await together(*(child.keep() for child in self._children))
            except asyncio.CancelledError:
                say("stopping; once more to stop at once")
            finally:
                await self._stop()

    @property
    def _workers(self) -> list[Child]:
        return [child for group in self._fleets.values() for child in group]

    @property
    def _children(self) -> list[Child]:
        """Every child, in the order in which they are to stop."""
        return [*self._workers, *self._api, *self._nats]

    async def _start(self) -> None:
        await self._start_broker()
        self._plan_services()
        workers = (worker.start for worker in self._workers)
        await together(self._api[0].start(), at_most(spare_cores(), workers))
        self._token = self._token_file.read_text()
        self._is_ready = True
        self._write_ready()
        self._greet()

    async def _start_broker(self) -> None:
        if self._env.get("STAGEDOOR_NATS_URL"):
            return
        self._broker = NatsServer(self._env, self._run, self._options.data_dir / "nats")
        self._nats = [Child(self._broker, self._write_ready)]
        await self._nats[0].start()

    def _plan_services(self) -> None:
        counts = {
            Role.DOWNLOADER: self._options.downloaders,
            Role.VALIDATOR: self._options.validators,
            Role.PUBLISHER: self._options.publishers,
        }
        api = ApiService("api", Role.API, self._env_of(Role.API), self._run, self._token_file)
        self._api = [Child(api, self._write_ready)]
        for role, count in counts.items():
            names = [f"{role}-{number}" for number in range(1, count + 1)]
            services = [PythonService(n, role, self._env_of(role), self._run) for n in names]
            self._fleets[role] = [Child(service, self._write_ready) for service in services]

    def _env_of(self, role: Role) -> dict[str, str]:
        env = dict(self._env)
        if self._broker:
            env["STAGEDOOR_NATS_URL"] = self._broker.url(role)
        if role is not Role.API:  # only the API may touch the database and the secrets in it
            del env["STAGEDOOR_DATABASE_URL"]
            env.pop("STAGEDOOR_SECRETS_KEY", None)
        return env

    @property
    def _http(self) -> str:
        return str(self._api[0].answer["http"])

    def _write_ready(self) -> None:
        """Tell where everything is, once everything is there, and again after each restart."""
        if not self._is_ready:
            return
        text = json.dumps(self._ready(), indent=2) + "\n"
        for path in self._ready_files:
            write_private(path, text)

    def _ready(self) -> dict[str, object]:
        workers = {
            role.value: [child.pid for child in group] for role, group in self._fleets.items()
        }
        nats = self._nats[0].pid if self._nats else None
        return {
            "http": self._http,
            "grpc": self._api[0].answer["grpc"],
            "nats": self._broker.url(Role.API) if self._broker else self._env["STAGEDOOR_NATS_URL"],
            "token": self._token,
            "data_dir": str(self._options.data_dir),
            "pids": {"api": self._api[0].pid, "nats": nats, **workers},
        }

    def _greet(self) -> None:
        sys.stdout.write(
            f"Stagedoor is ready.\n"
            f"  HTTP   {self._http}/api/v1/atmos-import-tasks\n"
            f"  gRPC   {self._api[0].answer['grpc']}\n"
            f"  token  {self._token}\n"
            f"  data   {self._options.data_dir}\n"
        )
        sys.stdout.flush()

    async def _stop(self) -> None:
        for path in self._ready_files:
            path.unlink(missing_ok=True)
        try:
            for group in (self._workers, self._api, self._nats):
                await together(*(child.stop() for child in group))
        finally:
            for child in self._children:
                child.kill()


def environment(options: Options, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of every part: the defaults of the embedded stack under what the user set."""
    data = options.data_dir
    defaults = {
        "STAGEDOOR_DATABASE_URL": f"sqlite+aiosqlite:///{data / 'stagedoor.db'}",
        "STAGEDOOR_BLOBS_URL": (data / "blobs").as_uri(),
    }
    chosen = {
        "STAGEDOOR_DATA_DIR": str(data),
        "STAGEDOOR_HTTP_LISTEN": options.http,
        "STAGEDOOR_GRPC_LISTEN": options.grpc,
    }
    return defaults | dict(environ) | chosen


def _require_whole(data_dir: Path) -> None:
    """Raise StartError where a restore was cut short; its backup has what is missing here."""
    if (data_dir / RESTORING).exists():
        raise StartError(f"a restore was cut short in {data_dir}: do it again")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep a second supervisor out of the folder; the lock goes when the process does."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError(f"another stagedoor runs in {path.parent}") from None
        yield


@contextmanager
def _signals_cancel(task: asyncio.Task[None] | None) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        if task:
            loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
