"""The servers that are compared: each on a core of its own, over a copy of the same rows."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.processes import Tree, await_, listens, running
from bench.service import API, READY, ROOT, environ_of, token
from bench.venvs import python_of
from tests.support.ports import lasting_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Starts = Callable[[str, Path], Iterator["Running"]]

PEERS: Final = Path(__file__).with_name("peers")
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


def ours(nats: str) -> Starts:
    """The API service itself, with everything that it does for a request."""

    def start(database: str, folder: Path) -> Iterator[Running]:
        environ = environ_of(database, nats, folder)
        allowed = token(environ)
        with running((*_CORE, *API), environ, folder) as process:
            await_((folder / READY).exists, process, folder / "log")
            said: dict[str, Any] = json.loads((folder / READY).read_text())
            yield Running(Tree(process.pid), said["http"], f"http://{said['grpc']}", allowed)

    return start


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
        with running((*_CORE, str(python), *words), environ, folder) as process:
            url = f"http://127.0.0.1:{port}"
            is_there = partial(listens, port) if is_grpc else partial(_answers, url)
            await_(is_there, process, folder / "log")
            yield Running(Tree(process.pid), url, url, "")

    return start


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - a server that we started
    except urllib.error.HTTPError:
        return True
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
        Server(
            "fastapi-jsonapi",
            peer("fastapi_jsonapi", *uvicorn, "fastapi_with_jsonapi:served"),
        ),
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
