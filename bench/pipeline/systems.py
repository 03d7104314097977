"""The systems that are compared: a worker for each stage, and the servers that they need."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import make_url

from bench import rows
from bench.pipeline.worker import ROLES
from bench.processes import Tree, await_, listens, running
from bench.service import API, DURABLE, READY, ROOT, engines, environ_of, token
from bench.venvs import python_of
from shared.bus.roles import Role
from tests.support.core import migrate
from tests.support.nats import nats_binary
from tests.support.ports import lasting_port
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PEERS: Final = Path(__file__).with_name("peers")
STAGES: Final = ("one", "two")
_PATH: Final = f"{ROOT}:{ROOT / 'shared' / 'gen'}"


@dataclass(frozen=True, slots=True)
class Running:
    """A system that works; ``client`` brings it jobs, in the environment of that name.

    ``workers`` run the stages; ``servers`` are all else that it needs.
    """

    client: tuple[str, ...]
    environ: Mapping[str, str]
    workers: tuple[Tree, ...]
    servers: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class System:
    """One line of the table; ``start`` takes a folder of its own."""

    name: str
    start: Callable[[Path], Iterator[Running]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Workers of Stagedoor: so many of each stage, with so many slots each.

    Their stages do nothing for ``lasting`` seconds.
    """

    workers: int = 1
    slots: int = 32  # as many as FastStream's and taskiq's workers take at a time, or fewer
    lasting: float = 0.0


ALONE: Final = Fleet()


def ours(folder: Path, fleet: Fleet = ALONE) -> Iterator[Running]:
    """Stagedoor: the API over PostgreSQL, the broker, and workers whose stages do nothing.

    Its servers are the API, PostgreSQL and the broker.
    """
    with served(folder) as api, ExitStack() as stack:
        workers = [
            stack.enter_context(worker(stage, number, api, folder, fleet))
            for stage in ROLES
            for number in range(fleet.workers)
        ]
        yield replace(api, workers=tuple(workers))


def _nothing(_: str) -> None:
    """Leave the database as it is."""


@contextmanager
def served(folder: Path, prepare: Callable[[str], None] = _nothing) -> Iterator[Running]:
    """The same without workers; ``prepare`` is given the URL of the database before it starts."""
    with ExitStack() as stack:
        postgres, broker = stack.enter_context(engines())
        database = postgres.database(_filled)
        prepare(database)
        environ = environ_of(database, broker.url(Role.API), folder)
        allowed = token(environ)
        api = stack.enter_context(running(API, environ, folder, "api"))
        await_((folder / READY).exists, api, folder / "api")
        said: dict[str, Any] = json.loads((folder / READY).read_text())
        track, _ = rows.some(database, 1)
        given = {
            "API": said["http"],
            "TOKEN": allowed,
            "TRACK": track,
            "NATS_URL": broker.url(Role.API),
            "DATABASE_URL": database,
            "PYTHONPATH": _PATH,
            **{role.value: broker.url(role) for role in ROLES.values()},
        }
        client = (sys.executable, "-m", "bench.pipeline.ours", "client")
        servers = (Tree(api.pid), Tree(postgres.process.pid), Tree(broker.process.pid))
        yield Running(client, given, (), servers)


def _filled(url: str) -> None:
    migrate(url)
    rows.fill(url, 1)


@contextmanager
def worker(stage: str, number: int, api: Running, folder: Path, fleet: Fleet) -> Iterator[Tree]:
    """One worker of a stage, once it is ready; its log has its name."""
    name = f"{stage}-{number}"
    ready = folder / f"{name}.json"
    environ = {
        "STAGEDOOR_NATS_URL": api.environ[ROLES[stage].value],
        "STAGEDOOR_READY_FILE": str(ready),
        "PYTHONPATH": _PATH,
    }
    lasting = (str(fleet.lasting), str(fleet.slots))
    command = (sys.executable, "-m", "bench.pipeline.worker", stage, *lasting)
    with running(command, environ, folder, name) as process:
        await_(ready.exists, process, folder / name)
        yield Tree(process.pid)


def celery(folder: Path) -> Iterator[Running]:
    """Celery over Redis, which writes to its disk once a second."""
    work = ("-m", "celery", "-A", "celery_redis", "worker", "--pool", "solo", "-l", "error")
    works = [(*work, "-Q", stage, "-n", f"{stage}@%h") for stage in STAGES]
    with _redis(folder) as (url, server):
        yield from _peer("celery_redis", {"REDIS_URL": url}, works, server, folder)


def faststream(folder: Path) -> Iterator[Running]:
    """FastStream over JetStream."""
    works = [(str(PEERS / "faststream_nats.py"), "worker", stage) for stage in STAGES]
    with _nats(folder) as (url, server):
        yield from _peer("faststream_nats", {"NATS_URL": url}, works, server, folder)


def taskiq(folder: Path) -> Iterator[Running]:
    """The taskiq broker of JetStream."""
    work = ("-m", "taskiq", "worker", "--workers", "1", "--log-level", "ERROR")
    works = [(*work, f"taskiq_over_nats:{broker}") for broker in ("first", "second")]
    with _nats(folder) as (url, server):
        yield from _peer("taskiq_over_nats", {"NATS_URL": url}, works, server, folder)


def procrastinate(folder: Path) -> Iterator[Running]:
    """Procrastinate over PostgreSQL."""
    name, script = "procrastinate_pg", str(PEERS / "procrastinate_pg.py")
    with ExitStack() as stack:
        postgres = PostgresServer()
        postgres.settings = dict(DURABLE)
        stack.callback(postgres.remove)
        postgres.start()
        url = make_url(postgres.database()).set(drivername="postgresql")
        environ = {"PROCRASTINATE_URL": url.render_as_string(hide_password=False)}
        schema = (str(python_of(PEERS / f"{name}.lock")), script, "schema")
        with running(schema, environ | {"PYTHONPATH": str(PEERS)}, folder, "schema") as process:
            if process.wait(60):
                raise RuntimeError("no tables")
        works = [(script, "worker", stage) for stage in STAGES]
        yield from _peer(name, environ, works, Tree(postgres.process.pid), folder)


def _peer(
    script: str,
    environ: Mapping[str, str],
    works: Sequence[tuple[str, ...]],
    server: Tree,
    folder: Path,
) -> Iterator[Running]:
    """A peer in its own environment; ``works`` are the arguments of Python for its workers."""
    given = {**environ, "PYTHONPATH": str(PEERS)}
    python = str(python_of(PEERS / f"{script}.lock"))
    with ExitStack() as stack:
        workers = [
            stack.enter_context(running((python, *work), given, folder, f"worker-{number}"))
            for number, work in enumerate(works)
        ]
        client = (python, str(PEERS / f"{script}.py"), "client")
        trees = tuple(Tree(worker.pid) for worker in workers)
        yield Running(client, given, trees, (server,))


@contextmanager
def _redis(folder: Path) -> Iterator[tuple[str, Tree]]:
    port = lasting_port()
    durable = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
    command = ("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder))
    with running((*command, *durable), {}, folder, "redis") as process:
        await_(partial(listens, port), process, folder / "redis")
        yield f"redis://127.0.0.1:{port}", Tree(process.pid)


@contextmanager
def _nats(folder: Path) -> Iterator[tuple[str, Tree]]:
    port = lasting_port()
    store = ("-js", "-sd", str(folder / "store"))
    command = (nats_binary(), *store, "-a", "127.0.0.1", "-p", str(port))
    with running(command, {}, folder, "nats") as process:
        await_(partial(listens, port), process, folder / "nats")
        yield f"nats://127.0.0.1:{port}", Tree(process.pid)


CELERY: Final = System("Celery + Redis, solo", celery)
SYSTEMS: Final = (
    System("**Stagedoor**, PostgreSQL", ours),
    System("FastStream + JetStream", faststream),
    System("taskiq + JetStream", taskiq),
    CELERY,
    System("procrastinate + PostgreSQL", procrastinate),
)
