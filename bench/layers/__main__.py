"""Say which share of the API's processor time each layer takes, by samples of its stacks.

py-spy looks at the running process five hundred times a second, without stopping it; Linux lets it
if it is run by root, or where `kernel.yama.ptrace_scope` is 0.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from bench import rows
from bench.api.__main__ import IDS, Given, measure
from bench.api.servers import ours as api_of
from bench.layers.stacks import layers
from bench.page import described, tell
from bench.pipeline.__main__ import bring
from bench.pipeline.systems import ours as pipeline
from bench.service import engines
from bench.venvs import python_of
from shared.bus.roles import Role
from tests.support.core import migrate

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator

    from bench.api.servers import Running

CASES: Final = ("get", "list", "create", "grpc get")
JOB: Final = "a job"
_RATE: Final = "500"
_FIRST: Final = 32


def record(pid: int, folder: Path, work: Callable[[], object]) -> Counter[str]:
    """The samples of a process by layer, while something is done."""
    raw = folder / "stacks"
    spy = python_of(Path(__file__).with_name("spy.lock")).with_name("py-spy")
    command = (str(spy), "record", "--nonblocking", "-r", _RATE, "-d", "3600", "-f", "raw")
    process = subprocess.Popen(  # noqa: S603 - a tool that we have installed
        [*command, "-o", str(raw), "-p", str(pid)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        work()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return layers(raw.read_text().splitlines())


def requests(folder: Path, seconds: float, tasks: int) -> Iterator[tuple[str, Counter[str]]]:
    """Of requests at both doors, over PostgreSQL."""

    def filled(url: str) -> None:
        migrate(url)
        rows.fill(url, tasks)

    with ExitStack() as stack:
        postgres, nats = stack.enter_context(engines())
        database = postgres.database(filled)
        given = Given(folder, *rows.some(database, IDS))
        opened = contextmanager(api_of(nats.url(Role.API)))(database, folder)
        running: Running = stack.enter_context(opened)
        for case in CASES:
            measure(running, case, 1, given)
            load = partial(measure, running, case, seconds, given)
            yield case, record(running.tree.root, folder, load)


def jobs(folder: Path, count: int) -> Counter[str]:
    """Of jobs of the pipeline, from their create to their record."""
    with contextmanager(pipeline)(folder) as running:
        bring(running, 0, "burst", _FIRST)
        work = partial(bring, running, 1, "burst", count)
        return record(running.servers[0].root, folder, work)


def table(found: dict[str, Counter[str]]) -> list[str]:
    """The lines: percent of each case, by how much a layer has in all."""
    shares = {
        case: {layer: 100 * n / samples.total() for layer, n in samples.items()}
        for case, samples in found.items()
    }
    names = {layer for each in shares.values() for layer in each}
    in_all = {name: sum(each.get(name, 0.0) for each in shares.values()) for name in names}
    lines = [f"| layer, % | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for name in sorted(names, key=lambda name: -in_all[name]):
        cells = (f"{each.get(name, 0.0):.0f}" for each in shares.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Sample, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.layers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of load for each case")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1500)
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="stagedoor-bench-") as name:
        found = dict(requests(Path(name), arguments.seconds, arguments.tasks))
    with TemporaryDirectory(prefix="stagedoor-bench-") as name:
        found[JOB] = jobs(Path(name), arguments.jobs)
    lines = table(found)
    said = (
        f"{described()}; {arguments.seconds:.0f} s of load for each case, "
        f"{arguments.jobs} jobs; {arguments.tasks:,} tasks; {_RATE} samples a second."
    )
    tell("bench-layers", said, lines, arguments.write)


if __name__ == "__main__":
    main()
