"""The API service as the benchmarks start it: with everything that it does for a request."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.nats import NatsServer
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).parents[1]
API: Final = (sys.executable, "-m", "services.api")
READY: Final = "ready.json"
"""In its folder: where it is."""
# As a server of PostgreSQL is set up that is to lose nothing; what does not matter here is left.
DURABLE: Final = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
}
# Far more than there can be: the limiter counts, and refuses nobody.
_NO_LIMIT: Final = "100000000"


@contextmanager
def engines() -> Iterator[tuple[PostgresServer, NatsServer]]:
    """A PostgreSQL and a broker of their own, which write to the disk."""
    with ExitStack() as stack:
        postgres, broker = PostgresServer(), NatsServer()
        postgres.settings = dict(DURABLE)
        for engine in (postgres, broker):
            stack.callback(engine.remove)
            engine.start()
        yield postgres, broker


def environ_of(database: str, nats: str, folder: Path) -> dict[str, str]:
    """Its settings, over a database and a broker by their URLs."""
    return {
        "PYTHONPATH": str(ROOT),
        "STAGEDOOR_DATABASE_URL": database,
        "STAGEDOOR_DATA_DIR": str(folder),
        "STAGEDOOR_NATS_URL": nats,
        "STAGEDOOR_HTTP_LISTEN": "127.0.0.1:0",
        "STAGEDOOR_GRPC_LISTEN": "127.0.0.1:0",
        "STAGEDOOR_READY_FILE": str(folder / READY),
        "STAGEDOOR_RATE_LIMIT_PER_MINUTE": _NO_LIMIT,
    }


def token(environ: Mapping[str, str]) -> str:
    """A token that may do everything."""
    command = (sys.executable, "-m", "services.api.admin", "token", "create")
    more = ("--tenant", "default", "--name", "bench")
    done = subprocess.run(  # noqa: S603 - a program of our own
        [*command, *more], check=True, cwd=ROOT, env=os.environ | environ, stdout=subprocess.PIPE
    )
    return done.stdout.decode().strip()
