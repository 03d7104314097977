"""Compare the API with its peers: the same rows and documents, one core, interleaved rounds."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from uuid_utils.compat import uuid7

from bench import rows
from bench.api import load
from bench.api.servers import DRF, FASTAPI, Running, Server, ours, peers
from bench.page import described, tell
from bench.service import engines
from shared.bus.roles import Role
from stagedoor.v1.import_task_service_pb2 import (
    CreateImportTaskRequest,
    GetImportTaskRequest,
    ImportTask,
    ListImportTasksRequest,
)
from tests.support.core import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.postgres import PostgresServer

HTTP_CASES: Final = ("get", "list", "create")
GRPC_CASES: Final = tuple(f"grpc {case}" for case in HTTP_CASES)
_METHODS: Final = {"get": "GetImportTask", "list": "ListImportTasks", "create": "CreateImportTask"}
IDS: Final = 1000
# What a server without a store is asked for.
_NOBODY: Final = (str(uuid7()), [str(uuid7())])
NEW: Final = ImportTask(source_uri="https://cdn.example.com/new.wav", isrc="USSM15900113")
_SERVICE: Final = "stagedoor.v1.ImportTaskService"
_HEAD: Final = (
    "| server | case | requests/s | x FastAPI | x DRF | CPU us | p50 ms | p99 ms | peak MiB |",
    "|---|---|---|---|---|---|---|---|---|",
)


@dataclass(slots=True)
class Rounds:
    """What a server did in each round of one case."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Given:
    """What the load is made from: the ids that are asked for, a document, framed messages."""

    folder: Path
    track: str
    ids: list[str]

    def environ(self, token: str) -> dict[str, str]:
        """What the script of wrk reads."""
        ids, body = self.folder / "ids", self.folder / "body"
        ids.write_text("\n".join(self.ids))
        attributes = {"url": NEW.source_uri, "secondaryIsrc": NEW.isrc}
        track = {"data": {"type": "tracks", "id": self.track}}
        data = {"type": "atmos-import-tasks", "attributes": attributes}
        document = {"data": data | {"relationships": {"track": track}}}
        body.write_text(json.dumps(document))
        return {"IDS": str(ids), "BODY": str(body), "TOKEN": token}

    def message(self, case: str) -> Path:
        """The file with the framed request of a case."""
        task = ImportTask(target=f"tracks/{self.track}")
        task.MergeFrom(NEW)
        requests = {
            "get": GetImportTaskRequest(name=f"importTasks/{self.ids[0]}"),
            "list": ListImportTasksRequest(page_size=20, skip=40),
            "create": CreateImportTaskRequest(import_task=task),
        }
        file = self.folder / f"{case}.grpc"
        file.write_bytes(load.framed(requests[case].SerializeToString()))
        return file


def measure(running: Running, case: str, seconds: float, given: Given) -> load.Load:
    """Put load on one server."""
    kind, _, name = case.rpartition(" ")
    if not kind:
        return load.http(running.http, case, seconds, given.environ(running.token))
    method = f"/{_SERVICE}/{_METHODS[name]}"
    return load.grpc(running.grpc, method, given.message(name), seconds, running.token)


@dataclass(frozen=True, slots=True)
class Entry:
    """A server that runs, and what it is asked for."""

    server: Server
    running: Running
    given: Given


def compare(entries: list[Entry], rounds: int, seconds: float) -> dict[tuple[str, str], Rounds]:
    """Let all of them take turns, case by case, in another order each time; others stand still."""
    found: dict[tuple[str, str], Rounds] = defaultdict(Rounds)
    for entry in entries:
        entry.running.tree.pause()
    for _ in range(rounds):
        for case in (*HTTP_CASES, *GRPC_CASES):
            able = [entry for entry in entries if case in entry.server.cases]
            for entry in random.sample(able, len(able)):
                _one(entry, case, seconds, found[entry.server.name, case])
    for entry in entries:
        entry.running.tree.go_on()
    return found


def _one(entry: Entry, case: str, seconds: float, rounds: Rounds) -> None:
    tree = entry.running.tree
    tree.go_on()
    print(f"{entry.server.name}: {case}", file=sys.stderr)  # noqa: T201 - how far it is
    measure(entry.running, case, 1, entry.given)
    before = tree.cpu_seconds()
    done = measure(entry.running, case, seconds, entry.given)
    spent = tree.cpu_seconds() - before
    tree.pause()
    rounds.rates.append(done.rate)
    rounds.cpu.append(spent / done.requests * 1e6)
    rounds.p50.append(done.p50)
    rounds.p99.append(done.p99)


def table(found: dict[tuple[str, str], Rounds], entries: list[Entry]) -> list[str]:
    """The lines; a ratio is the median of those of the rounds."""
    lines = list(_HEAD)
    for entry in entries:
        peak = entry.running.tree.peak_mebibytes()
        for case in entry.server.cases:
            one, plain = found[entry.server.name, case], case.rpartition(" ")[2]
            ratios = [_ratio(one, found.get((peer, plain))) for peer in (FASTAPI, DRF)]
            lines.append(
                f"| {entry.server.name} | {case} | {median(one.rates):.0f} | {ratios[0]} "
                f"| {ratios[1]} | {median(one.cpu):.0f} | {_shown(one.p50)} "
                f"| {_shown(one.p99)} | {peak:.0f} |"
            )
    return lines


def _shown(latencies: list[float]) -> str:
    """Their median; nothing where nobody measured them."""
    return f"{median(latencies):.1f}" if any(latencies) else ""


def _ratio(one: Rounds, other: Rounds | None) -> str:
    if other is None:
        return ""
    each = [mine / theirs for mine, theirs in zip(one.rates, other.rates, strict=True)]
    return f"{median(each):.1f}"


def _ours(nats: str) -> Iterator[Server]:
    """Both doors of the API, over each database."""
    for database, name in (("postgresql", "PostgreSQL"), ("sqlite", "SQLite")):
        yield Server(f"**Stagedoor, {name}**", ours(nats), database, (*HTTP_CASES, *GRPC_CASES))


def _database(
    server: Server, postgres: PostgresServer, folder: Path, filled: Callable[[str], None]
) -> str:
    """The URL of a database of a server's own, empty if it needs none."""
    if server.database is None:
        return ""
    if server.database == "postgresql":
        return postgres.database(filled)
    url = f"sqlite+aiosqlite:///{folder / 'bench.db'}"
    filled(url)
    return url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.api", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5, help="of load on each, each round")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", help="servers whose name has this in it")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    return parser


def main() -> None:
    """Run the benchmark."""
    arguments = _parser().parse_args()
    if missing := load.missing():
        sys.exit(f"not installed: {', '.join(missing)}")
    # The servers have the first core for themselves; all else, and this, is on the other.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="stagedoor-bench-")))
        postgres, nats = stack.enter_context(engines())

        def filled(url: str) -> None:
            migrate(url)
            rows.fill(url, arguments.rows)

        entries = []
        for number, server in enumerate((*_ours(nats.url(Role.API)), *peers())):
            if arguments.only and arguments.only not in server.name:
                continue
            own = folder / str(number)
            own.mkdir()
            database = _database(server, postgres, own, filled)
            given = Given(own, *(rows.some(database, IDS) if database else _NOBODY))
            opened = contextmanager(server.start)(database, own)
            entries.append(Entry(server, stack.enter_context(opened), given))
        found = compare(entries, arguments.rounds, arguments.seconds)
        lines = table(found, entries)
        said = (
            f"{described()}; medians of {arguments.rounds} interleaved rounds of "
            f"{arguments.seconds:.0f} s; {arguments.rows:,} tasks; {load.CONNECTIONS} connections."
        )
    tell("bench-api", said, lines, arguments.write)


if __name__ == "__main__":
    main()
