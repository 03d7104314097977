"""What a job and a sign of life cost each part of the pipeline: ``python -m bench.scaling.parts``.

Jobs that do nothing, in a burst; then the same with stages that last, so that they tell their
progress. What the second take more is the signs of life. What all parts use while nothing is to be
done is taken off both.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import nats
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from bench.page import described, put
from bench.pipeline.__main__ import bring
from bench.pipeline.systems import Fleet, ours
from shared.bus import streams

if TYPE_CHECKING:
    from bench.pipeline.systems import Running

JOB: Final = "a job"
BEAT: Final = "a sign of life"
_NAMES: Final = (
    "what",
    "API ms",
    "PostgreSQL ms",
    "NATS ms",
    "workers ms",
    "rows written",
    "WAL KB",
    "stored messages",
    "KB of events",
)
_HEAD: Final = (f"| {' | '.join(_NAMES)} |", "|---" * len(_NAMES) + "|")
_STREAMS: Final = (streams.WORK, streams.REPORTS, streams.EVENTS)
_FIRST: Final = 32
_IDLE_SECONDS: Final = 10.0
# PostgreSQL tells of what a session did a second after its end at the latest.
_TOLD_SECONDS: Final = 1.5
_SPENT: Final = text(
    "SELECT (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables), "
    "(SELECT wal_bytes / 1e3 FROM pg_stat_wal), "
    "(SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'import_tasks')"
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used: processor in ms, rows, KB, messages. ``updates`` are those of tasks."""

    api: float
    postgres: float
    nats: float
    workers: float
    rows: float
    wal: float
    stored: float
    events: float
    updates: float

    def __sub__(self, other: Spent) -> Spent:
        """What was used since."""
        return Spent(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, times: float) -> Spent:
        """So many times as much."""
        return Spent(*(each * times for each in astuple(self)))


def measure(lasting: float, jobs: int) -> Spent:
    """What so many jobs use whose stages last so long."""
    with (
        TemporaryDirectory(prefix="stagedoor-bench-") as folder,
        contextmanager(ours)(Path(folder), Fleet(lasting=lasting)) as running,
    ):
        bring(running, 0, "burst", _FIRST)
        moments, spent = [time.monotonic()], [asyncio.run(_spent(running))]
        for step in (partial(bring, running, 1, "burst", jobs), partial(time.sleep, _IDLE_SECONDS)):
            step()
            moments.append(time.monotonic())
            spent.append(asyncio.run(_spent(running)))
        busy, idle = (after - before for before, after in pairwise(moments))
        return spent[1] - spent[0] - (spent[2] - spent[1]) * (busy / idle)


async def _spent(running: Running) -> Spent:
    """What was used so far; this itself uses next to nothing, as it waits most of its time."""
    await asyncio.sleep(_TOLD_SECONDS)
    engine = create_async_engine(running.environ["DATABASE_URL"])
    broker = await nats.connect(running.environ["NATS_URL"], inbox_prefix=b"_INBOX.api")
    js = broker.jetstream()
    stored = [(await js.stream_info(name)).state for name in _STREAMS]
    await broker.close()
    async with engine.connect() as connection:
        rows, wal, updates = (float(each) for each in (await connection.execute(_SPENT)).one())
    await engine.dispose()
    api, postgres, server = (tree.cpu_seconds() * 1e3 for tree in running.servers)
    workers = sum(tree.cpu_seconds() * 1e3 for tree in running.workers)
    messages, events = sum(state.last_seq for state in stored), stored[-1].bytes / 1e3
    return Spent(api, postgres, server, workers, rows, wal, messages, events, updates)


def _row(what: str, spent: Spent) -> str:
    return f"| {what} | {' | '.join(f'{each:.2f}' for each in astuple(spent)[:-1])} |"


def main() -> None:
    """Measure, print the table, and write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling.parts", description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--lasting", type=float, default=3.0, help="seconds of a stage")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    given = parser.parse_args()
    began = time.monotonic()
    plain = measure(0.0, given.jobs)
    more = measure(given.lasting, given.jobs) - plain
    said = (
        f"{described()}; {given.jobs} jobs in a burst, and the same with stages of "
        f"{given.lasting:g} s, which told {more.updates / given.jobs:.1f} signs of life a job."
    )
    lines = [*_HEAD, _row(JOB, plain * (1 / given.jobs)), _row(BEAT, more * (1 / more.updates))]
    print("\n".join((said, "", *lines)), f"{time.monotonic() - began:.0f} s", sep="\n")  # noqa: T201
    if given.write:
        put(given.write, "bench-parts", said, lines)


if __name__ == "__main__":
    main()
