"""The servers that are compared: each on a core of its own, over a copy of the same rows."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.processes import Tree
from bench.venvs import python_of
from tests.support.ports import lasting_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Starts = Callable[[str, Path], Iterator["Running"]]

ROOT: Final = Path(__file__).parents[2]
PEERS: Final = Path(__file__).with_name("peers")
START_SECONDS: Final = 60.0
# Far more than there can be: the limiter counts, and refuses nobody.
_NO_LIMIT: Final = "100000000"
_CORE: Final = ("taskset", "-c", "0")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; ``token`` is empty for one that asks for none."""

    tree: Tree
    http: str
    grpc: str
    token: str


@dataclass(frozen=True, slots=True)
class Server:
    """One line of the table. ``start`` takes a database URL and a folder of its own."""

    name: str
    start: Starts
    database: str | None = "postgresql"
    cases: tuple[str, ...] = ("get", "list", "create")


@contextmanager
def _process(
    command: tuple[str, ...], environ: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the servers that are compared
            [*_CORE, *command], cwd=folder, env=os.environ | environ, stdout=log, stderr=log
        )
    try:
        yield process
    except RuntimeError:
        sys.stderr.write((folder / "log").read_text(errors="replace")[-3000:])
        raise
    finally:
        tree = Tree(process.pid)
        tree.go_on()
        process.terminate()
        process.wait(30)


def ours(nats: str) -> Starts:
    """The API service itself, with everything that it does for a request."""

    def start(database: str, folder: Path) -> Iterator[Running]:
        ready = folder / "ready.json"
        environ = {
            "STAGEDOOR_DATABASE_URL": database,
            "STAGEDOOR_DATA_DIR": str(folder),
            "STAGEDOOR_NATS_URL": nats,
            "STAGEDOOR_HTTP_LISTEN": "127.0.0.1:0",
            "STAGEDOOR_GRPC_LISTEN": "127.0.0.1:0",
            "STAGEDOOR_READY_FILE": str(ready),
            "STAGEDOOR_RATE_LIMIT_PER_MINUTE": _NO_LIMIT,
        }
        token = _token(environ)
        command = (sys.executable, "-m", "services.api")
        with _process(command, environ | {"PYTHONPATH": str(ROOT)}, folder) as process:
            _await(ready.exists, process, folder)
            said: dict[str, Any] = json.loads(ready.read_text())
            yield Running(Tree(process.pid), said["http"], f"http://{said['grpc']}", token)

    return start


def _token(environ: Mapping[str, str]) -> str:
    command = (sys.executable, "-m", "services.api.admin", "token", "create")
    more = ("--tenant", "default", "--name", "bench")
    done = subprocess.run(  # noqa: S603 - a program of our own
        [*command, *more], check=True, cwd=ROOT, env=os.environ | environ, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()


def peer(lock: str, *command: str, is_grpc: bool = False) -> Starts:
    """A peer in its own environment; ``{port}`` in its command is the port."""

    def start(database: str, folder: Path) -> Iterator[Running]:
        port = lasting_port()
        python = python_of(PEERS / f"{lock}.lock")
        words = tuple(word.format(port=port) for word in command)
        environ = {
            "DATABASE_URL": database,
            "PYTHONPATH": f"{PEERS}:{ROOT / 'shared' / 'gen'}",
            "LOOP": "uvloop",
        }
        with _process((str(python), *words), environ, folder) as process:
            url = f"http://127.0.0.1:{port}"
            is_there = partial(_listens, port) if is_grpc else partial(_answers, url)
            _await(is_there, process, folder)
            yield Running(Tree(process.pid), url, url, "")

    return start


def _await(is_so: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not is_so():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError((folder / "log").read_text(errors="replace")[-3000:])
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - a server that we started
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


_UVICORN: Final = ("--loop", "uvloop", "--http", "httptools", "--no-access-log")
_GUNICORN: Final = ("-m", "gunicorn", "drf:application", "-b", "127.0.0.1:{port}")
FASTAPI: Final = "FastAPI + SQLAlchemy ORM"
DRF: Final = "DRF JSON:API, gunicorn 1 x 8 threads"


def peers() -> tuple[Server, ...]:
    """All peers, and the limits that a server without a store has."""
    uvicorn = ("-m", "uvicorn", "--port", "{port}", *_UVICORN)
    return (
        Server(FASTAPI, peer("fastapi_orm", *uvicorn, "fastapi_orm:app")),
        Server(DRF, peer("drf", *_GUNICORN, "-k", "gthread", "--threads", "8", "-w", "1")),
        Server(
            "(limit) aiohttp, no store",
            peer("null", str(PEERS / "null_aiohttp.py"), "{port}"),
            database=None,
        ),
        Server(
            "(limit) grpc.aio, no store",
            peer("null", str(PEERS / "null_grpc.py"), "{port}", is_grpc=True),
            database=None,
            cases=("grpc get", "grpc list", "grpc create"),
        ),
    )
