"""The whole product as separate processes that a test may break one by one.

Unlike ``stagedoor up`` nothing here starts again by itself: what a test kills stays dead until the
test starts it.
"""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import shutil
import socket
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit

from cli.stack.child import Launch
from cli.stack.services import ApiService, PythonService
from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.migrations import upgrade
from services.api.domain.principal import ADMIN
from services.api.use_cases.tokens import Tokens
from shared.blobs.open import open_store
from shared.bus.roles import Role, role_url
from tests.support import s3
from tests.support.faults import checking, shapes
from tests.support.faults.broker import OperatedBroker
from tests.support.faults.client import Client, Ledger
from tests.support.faults.process import POLL_SECONDS, ROOT, START_SECONDS, Process
from tests.support.faults.proxy import Proxies, Proxy, Upstream
from tests.support.origin import running_origin
from tests.support.ports import HOST, lasting_port
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
    from ssl import SSLContext
    from uuid import UUID

    from shared.blobs.base import BlobStore
    from tests.support.faults.shapes import Shape
    from tests.support.nats_cluster import NatsCluster
    from tests.support.origin import Origin, Reply

_POSTGRES_SOCKET = ".s.PGSQL.5432"


class MotoServer:
    """An S3 protocol server on a port of its own; it forgets everything with its process."""

    name = "s3"
    start_seconds = START_SECONDS

    def __init__(self) -> None:
        """Choose a port."""
        self.port = lasting_port()

    def launch(self) -> Launch:
        """How to start it now."""
        program = Path(sys.executable).with_name("moto_server")
        command = (str(program), "-H", "127.0.0.1", "-p", str(self.port))
        return Launch(command, {"PATH": os.environ["PATH"]})

    def answer(self, pid: int) -> Mapping[str, Any] | None:
        """Something, once it takes connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return None
        return {"pid": pid}


class System:
    """The processes, what they stand on, and what clients were told; see ``running_system``."""

    def __init__(
        self,
        folder: Path,
        shape: Shape,
        settings: Mapping[str, str],
        role_settings: Mapping[str, Mapping[str, str]],
        cluster: NatsCluster | None,
    ) -> None:
        """Plan a system in a folder; nothing runs yet."""
        self.folder = folder
        self.shape = shape
        self.cluster = cluster
        self.origin: Origin
        self.nats: Process
        self.apis: list[Process] = []
        self.downloaders: list[Process] = []
        self.validators: list[Process] = []
        self.publishers: list[Process] = []
        self.s3: Process | None = None
        self.postgres: PostgresServer | None = None
        self.links: dict[str, Proxy] = {}
        self.database_url = f"sqlite+aiosqlite:///{folder / 'stagedoor.db'}"
        self.blobs_url = (folder / "blobs").as_uri()
        self.settings = {**shapes.QUICK, **settings}
        self.role_settings = role_settings
        self.secrets_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self.token = ""
        self.ledger = Ledger()
        self.fault_ended_at: float | None = None
        self.orphans = 0
        self.dead_letters = 0
        self.untold: set[UUID] = set()
        self._broker: OperatedBroker
        self._store_env: dict[str, str] = {}

    @property
    def workers(self) -> list[Process]:
        """The processes of every stage."""
        return [*self.downloaders, *self.validators, *self.publishers]

    @property
    def services(self) -> list[Process]:
        """The processes that run our own code."""
        return [*self.apis, *self.workers]

    @property
    def processes(self) -> list[Process]:
        """Every process but PostgreSQL, in the order in which they may start."""
        return [*self._engines, *self.services]

    @property
    def _engines(self) -> list[Process]:
        nats = [] if self.cluster else [self.nats]
        return [*nats, *([self.s3] if self.s3 else [])]

    @property
    def http(self) -> list[str]:
        """Where the replicas of the API serve HTTP."""
        return [api.answer["http"] for api in self.apis]

    @property
    def grpc(self) -> list[str]:
        """Where they serve gRPC."""
        return [api.answer["grpc"] for api in self.apis]

    @property
    def broker_store(self) -> Path:
        """The folder of the broker's streams."""
        return self.folder / "nats-store"

    @property
    def store_endpoint(self) -> str:
        """Where the S3 server listens, past every proxy."""
        return self._store_env["AWS_ENDPOINT_URL"]

    def nats_url(self, role: Role = Role.API) -> str:
        """The broker for a role, past every proxy."""
        return self.cluster.url(role) if self.cluster else self._broker.url(role)

    def nats_tls(self) -> SSLContext | None:
        """What a client needs to believe the broker."""
        return self.cluster.certificates.trusted().context() if self.cluster else None

    def operator_url(self) -> str:
        """The broker for somebody who may do everything, past every proxy."""
        return self._broker.operator_url()

    def link(self, name: str) -> Proxy:
        """A link that the system was started with as proxied."""
        return self.links[name]

    def client(self, *apis: Process) -> Client:
        """A client of all replicas, or of these; what it is told goes into the ledger."""
        return Client(self, apis or self.apis)

    def serve(self, path: str, *replies: Reply) -> str:
        """Let the origin answer a path; gives the URL, through the link if that is proxied."""
        url = self.origin.serve(path, *replies)
        link = self.links.get(shapes.WORKER_ORIGIN)
        return url.replace(f":{self.origin.port}/", f":{link.port}/") if link else url

    def open_store(self) -> BlobStore:
        """The store of the system, past every proxy."""
        with patch.dict(os.environ, self._store_env):
            return open_store(self.blobs_url, scratch=self.folder / "checker")

    async def start_all(self) -> None:
        """Start whatever does not run, all at once."""
        await asyncio.gather(*(each.start() for each in self.processes if not each.is_running))

    def wipe_broker(self) -> None:
        """Delete everything that the broker keeps; it must not be running."""
        assert not self.nats.is_running
        shutil.rmtree(self.broker_store, ignore_errors=True)

    def end_fault(self) -> None:
        """Say that all is mended now: the time to recover (I10) counts from here."""
        self.fault_ended_at = time.monotonic()

    async def check(self, **allowed: Any) -> None:
        """Assert I1 to I10; for what may be allowed see ``invariants.Allowed``.

        Orphans and dead letters stay, so those of earlier checks stay allowed; as are lost events.
        """
        self.orphans += allowed.get("orphans", 0)
        self.dead_letters += allowed.get("dead_letters", 0)
        if allowed.get("events_lost"):
            self.untold |= self.ledger.tasks.keys()
        found = await self.violations(**allowed)
        self.fault_ended_at = None
        assert not found, "\n".join(["broken invariants:", *found])

    async def violations(self, **allowed: Any) -> list[str]:
        """What ``check`` would complain of."""
        return await checking.violations(self, checking.Allowed(**allowed))

    # Starting

    @contextmanager
    def running(self, proxied: Collection[str], failpoints: Mapping[str, str]) -> Iterator[None]:
        """Start everything; at the end kill everything."""
        with ExitStack() as stack:
            self.origin = stack.enter_context(running_origin())
            proxies = stack.enter_context(Proxies())
            self.links = proxies.links
            stack.callback(self._kill_all)
            self._start_engines(stack)
            self._open_links(proxies, proxied)
            self._prepare_database()
            self._plan_services()
            self._launch(self.services, failpoints)
            yield

    def _start_engines(self, stack: ExitStack) -> None:
        broker = {"PATH": os.environ["PATH"]}
        self._broker = OperatedBroker(broker, self.folder, self.broker_store)
        self.nats = Process(self._broker, self.folder)
        moto = MotoServer()
        if self.shape.store == "s3":
            self.s3 = Process(moto, self.folder)
        self._launch(self._engines, {})
        if self.shape.database == "postgresql":
            self.postgres = PostgresServer(tied=True)
            stack.callback(self.postgres.remove)
            self.postgres.start()
            self.database_url = self.postgres.database()
        if self.s3:
            endpoint = f"http://127.0.0.1:{moto.port}"
            self._store_env = s3.environment(endpoint)
            self.blobs_url = f"s3://{s3.make_bucket(endpoint)}/masters"

    def _open_links(self, proxies: Proxies, proxied: Collection[str]) -> None:
        for name in proxied:
            proxies.open(name, partial(self._upstream, name))

    def _upstream(self, name: str) -> Upstream:
        match name:
            case shapes.WORKER_NATS | shapes.API_NATS:
                return Upstream(urlsplit(self.nats_url()).port or 0)
            case shapes.WORKER_ORIGIN:
                return Upstream(self.origin.port)
            case shapes.STORE:
                return Upstream(urlsplit(self.store_endpoint).port or 0)
            case shapes.API_DATABASE:
                folder = self.database_url.partition("host=")[2]
                return Upstream(path=f"{folder}/{_POSTGRES_SOCKET}")
        raise ValueError(f"{name!r} is none of {shapes.LINKS}")

    def _prepare_database(self) -> None:
        async def prepare() -> str:
            engines = open_engines(self.database_url)
            await upgrade(engines)
            executor = Executor(engines, lambda _: None)
            token = await Tokens(executor).issue("default", "faults", [ADMIN])
            await executor.close()
            return token

        self.token = _in_thread(prepare)

    def _plan_services(self) -> None:
        for role, count, into in (
            (Role.API, self.shape.apis, self.apis),
            (Role.DOWNLOADER, self.shape.downloaders, self.downloaders),
            (Role.VALIDATOR, self.shape.validators, self.validators),
            (Role.PUBLISHER, self.shape.publishers, self.publishers),
        ):
            kind = ApiService if role is Role.API else PythonService
            for number in range(1, count + 1):
                name = f"{role}-{number}"
                env = self._env_of(role, self.folder / name)
                into.append(Process(kind(name, role, env, self.folder), self.folder))

    def _env_of(self, role: Role, data_dir: Path) -> dict[str, str]:
        data_dir.mkdir()
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")]),
            "STAGEDOOR_DATA_DIR": str(data_dir),
            "STAGEDOOR_BLOBS_URL": self.blobs_url,
            "STAGEDOOR_NATS_URL": self._nats_url_of(role),
            "STAGEDOOR_DOWNLOAD_CA_FILE": str(self.origin.write_ca(self.folder / "ca.pem")),
            **self._through(self._store_env),
            **(self.cluster.client_environment if self.cluster else {}),
        }
        if role is Role.API:
            env["STAGEDOOR_DATABASE_URL"] = self._database_url_of_apis()
            env["STAGEDOOR_SECRETS_KEY"] = self.secrets_key
            env["STAGEDOOR_HTTP_LISTEN"] = f"{HOST}:{lasting_port()}"
            env["STAGEDOOR_GRPC_LISTEN"] = f"{HOST}:{lasting_port()}"
        return {**env, **self.settings, **self.role_settings.get(role, {})}

    def _nats_url_of(self, role: Role) -> str:
        url = self.nats_url(role)
        link = self.links.get(shapes.API_NATS if role is Role.API else shapes.WORKER_NATS)
        if link is None:
            return url
        parts = urlsplit(url)
        return role_url(f"nats://127.0.0.1:{link.port}", role, parts.password or "")

    def _database_url_of_apis(self) -> str:
        link = self.links.get(shapes.API_DATABASE)
        if link is None:
            return self.database_url
        parts = urlsplit(self.database_url)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{link.port}", query=""))

    def _through(self, env: dict[str, str]) -> dict[str, str]:
        link = self.links.get(shapes.STORE)
        return env | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{link.port}"} if link else env

    def _launch(self, processes: list[Process], failpoints: Mapping[str, str]) -> None:
        for each in processes:
            each.launch(failpoints.get(each.name, ""))
        until = time.monotonic() + START_SECONDS
        waiting = processes
        while waiting := [each for each in waiting if not each.is_ready()]:
            if time.monotonic() > until:
                raise TimeoutError(f"not ready: {', '.join(each.name for each in waiting)}")
            time.sleep(POLL_SECONDS)

    def _kill_all(self) -> None:
        for each in reversed(self.processes):
            each.kill()


@contextmanager
def running_system(
    folder: Path,
    shape: Shape = shapes.LAPTOP,
    *,
    proxied: Collection[str] = (),
    failpoints: Mapping[str, str] | None = None,
    role_settings: Mapping[str, Mapping[str, str]] | None = None,
    cluster: NatsCluster | None = None,
    **settings: str,
) -> Iterator[System]:
    """Run a system in a folder; for fixtures and tests alike, always from the main thread.

    ``proxied`` names links (see ``shapes.LINKS``), ``failpoints`` is by process (``api-1``),
    ``role_settings`` by role (``downloader``), ``settings`` are for every process. With a
    ``cluster``, which the test keeps running, there is no ``system.nats``.
    """
    system = System(folder, shape, settings, role_settings or {}, cluster)
    with system.running(proxied, failpoints or {}):
        yield system


def _in_thread(job: Callable[[], Awaitable[str]]) -> str:
    """Run a coroutine to its end, whether or not this thread has a loop that runs."""
    done: Future[str] = Future()

    async def run() -> None:
        try:
            done.set_result(await job())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits
            done.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    thread.join()
    return done.result()
