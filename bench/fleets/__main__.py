"""Measure what more workers bring, how soon a new one works, and who waits for whom.

Everything is on one machine: PostgreSQL, the broker, the API, the workers and who brings the jobs.
Stages do nothing, at once or for a while.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from bench.fleets.backlog import Backlog
from bench.page import described, tell
from bench.pipeline.__main__ import bring
from bench.pipeline.systems import Fleet, ours, served, worker
from services.api.domain.lifecycle import Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES: Final = (1, 2, 4)
FEW: Final = 10
BULK: Final = 2_000
_QUICK: Final = 600
# What four slots of each worker do in this time and more: as many seconds for each size.
_SECONDS: Final = 6.0
_SLOW: Final = Fleet(slots=4, lasting=0.2)
_FIRST: Final = 20
_STARTED: Final = '"run_started"'
_JOINING_SECONDS: Final = 3.0


@contextmanager
def folder() -> Iterator[Path]:
    """One of its own for each measurement."""
    with TemporaryDirectory(prefix="stagedoor-bench-") as name:
        yield Path(name)


def rate(fleet: Fleet, jobs: int) -> float:
    """Jobs a second of a burst, submitting included."""
    with folder() as where, contextmanager(ours)(where, fleet) as running:
        bring(running, 0, "burst", _FIRST)
        done = bring(running, 1, "burst", jobs)
        return done["jobs"] / done["seconds"]


def jobs_of(fleet: Fleet) -> int:
    """Enough to keep all slots of a stage busy for a while."""
    return round(fleet.workers * fleet.slots / fleet.lasting * _SECONDS)


def joining() -> tuple[float, float]:
    """Seconds from the start of a worker to its first run, and from its being ready."""
    with folder() as where, served(where, Backlog(tenant="large", count=_QUICK).put) as api:
        began = time.time()
        with worker("download", 0, api, where, _SLOW):
            ready = (where / "download-0.json").stat().st_mtime
            time.sleep(_JOINING_SECONDS)
        first = _first_run(where / "download-0")
        return first - began, first - ready


def _first_run(log: Path) -> float:
    lines = log.read_text().splitlines()
    first = next(json.loads(line) for line in lines if _STARTED in line)
    return datetime.fromisoformat(first["timestamp"]).timestamp()


def wait(backlog: Backlog | None) -> float:
    """Seconds until ten tasks of a small tenant are done beside what waits already."""
    prepare = (backlog.put,) if backlog else ()
    with (
        folder() as where,
        served(where, *prepare) as api,
        worker("download", 0, api, where, _SLOW),
        worker("validate", 0, api, where, _SLOW),
    ):
        time.sleep(2)  # they are in the midst of what waits
        return bring(api, 1, "burst", FEW)["seconds"]


def _rows(rounds: int, large: int) -> list[str]:
    quick = {f"{n} of each, stages of 0 s": partial(rate, Fleet(workers=n), _QUICK) for n in SIZES}
    fleets = {n: Fleet(workers=n, slots=_SLOW.slots, lasting=_SLOW.lasting) for n in SIZES}
    slow = {
        f"{n} of each, {_SLOW.slots} slots, stages of {_SLOW.lasting:g} s": partial(
            rate, fleet, jobs_of(fleet)
        )
        for n, fleet in fleets.items()
    }
    waits = {
        f"{FEW} tasks, nothing else waits": partial(wait, None),
        f"{FEW} tasks beside {large:,} of another tenant": partial(
            wait, Backlog(tenant="large", count=large)
        ),
        f"{FEW} tasks beside {BULK:,} bulk ones of their own tenant": partial(
            wait, Backlog(tenant="default", count=BULK, priority=Priority.BULK)
        ),
    }
    rates = _medians({**quick, **slow}, rounds)
    seconds = _medians(waits, rounds)
    joined = [joining() for _ in range(rounds)]
    slowest = rates[next(iter(slow))]
    lines = ["| fleet | jobs/s | x one of each |", "|---|---|---|"]
    for group in (quick, slow):
        one = rates[next(iter(group))]
        lines += [f"| {name} | {rates[name]:.0f} | {rates[name] / one:.2f} |" for name in group]
    lines += ["", "| what waits | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds[name]:.2f} |" for name in waits]
    lines.append(f"| (the {large:,} alone, at the rate above) | {large / slowest:,.0f} |")
    lines += ["", "| a new worker's first run | seconds |", "|---|---|"]
    for number, name in enumerate(("from its start", "from being ready")):
        lines.append(f"| {name} | {median(took[number] for took in joined):.2f} |")
    return lines


def _medians(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Of all rounds, each of which has all cases in another order."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name in random.sample(list(cases), len(cases)):
            print(name, file=sys.stderr)  # noqa: T201 - how far it is
            found[name].append(cases[name]())
    return {name: median(values) for name, values in found.items()}


def main() -> None:
    """Measure, print the tables, and write them into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=100_000, help="what the large tenant queued")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    given = parser.parse_args()
    lines = _rows(given.rounds, given.large)
    said = f"{described()}; medians of {given.rounds} interleaved rounds."
    tell("bench-fleets", said, lines, given.write)


if __name__ == "__main__":
    main()
