"""Compare the pipeline with task queues: two chained stages that do nothing, one worker each.

Each round starts each system anew, in another order each time: a burst, submitting included, and
then a steady stream. What all else costs a job is said beside what its workers cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from bench.page import described, tell
from bench.pipeline.systems import CELERY, SYSTEMS, Running

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_SECONDS: Final = 300.0
_NAMES: Final = (
    "system",
    "burst jobs/s",
    "x Celery",
    "p50 ms",
    "p99 ms",
    "workers' CPU ms/job",
    "all CPU ms/job",
    "a worker's peak MiB",
)
_HEAD: Final = (f"| {' | '.join(_NAMES)} |", "|---" * len(_NAMES) + "|")
# Brings what a system needs to get going; not measured.
_FIRST: Final = 20


@dataclass(slots=True)
class Rounds:
    """What a system did in each round."""

    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    workers: list[float] = field(default_factory=list)
    everything: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)


def measure(system: Running, jobs: int, rate: float, seconds: float, rounds: Rounds) -> None:
    """One round of one system."""
    bring(system, 0, "burst", _FIRST)
    before = _spent(system)
    done = bring(system, 1, "burst", jobs)
    workers, everything = (after - b for after, b in zip(_spent(system), before, strict=True))
    rounds.rates.append(done["jobs"] / done["seconds"])
    rounds.workers.append(workers / jobs * 1e3)
    rounds.everything.append(everything / jobs * 1e3)
    steady = bring(system, 2, "steady", rate, seconds)
    rounds.p50.append(steady["p50"])
    rounds.p99.append(steady["p99"])
    rounds.peak.append(max(tree.peak_mebibytes() for tree in system.workers))


def _spent(system: Running) -> tuple[float, float]:
    """Seconds of processor: of the workers, and of everything but who brings the jobs."""
    workers = sum(tree.cpu_seconds() for tree in system.workers)
    return workers, workers + sum(tree.cpu_seconds() for tree in system.servers)


def bring(system: Running, number: int, what: str, *numbers: float) -> dict[str, float]:
    """Bring a system jobs; what its driver says. Raises CalledProcessError when it fails."""
    # A prefix of ISRCs for each time, so that none comes twice.
    environ = os.environ | system.environ | {"PREFIX": f"USB{number:02}"}
    done = subprocess.run(  # noqa: S603 - our own drivers
        [*system.client, what, *map(str, numbers)],
        check=True,
        stdout=subprocess.PIPE,
        env=environ,
        timeout=LIMIT_SECONDS,
    )
    # Libraries may have said something before.
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def table(found: dict[str, Rounds]) -> list[str]:
    """The lines; a ratio is the median of those of the rounds."""
    lines = list(_HEAD)
    celery = found.get(CELERY.name)
    for name, one in found.items():
        ratio = _ratio(one.rates, celery.rates) if celery else ""
        lines.append(
            f"| {name} | {median(one.rates):.0f} | {ratio} | {median(one.p50):.1f} "
            f"| {median(one.p99):.1f} | {median(one.workers):.2f} | {median(one.everything):.2f} "
            f"| {median(one.peak):.0f} |"
        )
    return lines


def _ratio(mine: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{median(a / b for a, b in zip(mine, theirs, strict=True)):.1f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.pipeline", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1500, help="of a burst")
    parser.add_argument("--rate", type=float, default=60, help="jobs a second of the stream")
    parser.add_argument("--seconds", type=float, default=10, help="of the stream")
    parser.add_argument("--only", help="systems whose name has this in it")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    return parser


def main() -> None:
    """Run the benchmark."""
    arguments = _parser().parse_args()
    if not shutil.which("redis-server"):
        sys.exit("not installed: redis-server")
    systems = [each for each in SYSTEMS if not arguments.only or arguments.only in each.name]
    found: dict[str, Rounds] = {each.name: Rounds() for each in systems}
    for _ in range(arguments.rounds):
        for system in random.sample(systems, len(systems)):
            print(system.name, file=sys.stderr)  # noqa: T201 - how far it is
            with (
                TemporaryDirectory(prefix="stagedoor-bench-") as folder,
                contextmanager(system.start)(Path(folder)) as running,
            ):
                numbers = (arguments.jobs, arguments.rate, arguments.seconds)
                measure(running, *numbers, found[system.name])
    said = (
        f"{described()}; medians of {arguments.rounds} interleaved rounds; a burst of "
        f"{arguments.jobs} jobs; {arguments.rate:.0f} jobs a second for {arguments.seconds:.0f} s."
    )
    lines = table(found)
    tell("bench-pipeline", said, lines, arguments.write)


if __name__ == "__main__":
    main()
