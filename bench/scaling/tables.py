"""What the page shows: tables of the arithmetic and of the simulation."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Final

from bench.scaling.plan import Thing, fullest, resources
from bench.scaling.runs import SCALES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.scaling.costs import Costs, Figure
    from bench.scaling.runs import Run

_DAYS_A_YEAR: Final = 365
_ONES: Final = {
    Thing.API: "an API replica: one core",
    Thing.CELL: "a cell: PostgreSQL on {postgres_cores:.0f} cores, NATS on {nats_cores:.0f}, disks "
    "with a fsync of {fsync_seconds:g} s",
    Thing.DOWNLOADER: "a downloader: {download_slots:.0f} slots, {download_cores:.0f} cores, a "
    "link of {download_link_gb_per_second:g} GB/s",
    Thing.VALIDATOR: "a validator: one slot",
    Thing.STORE: "a store: {store_gb_per_second:g} GB/s each way, {store_parts_per_second:.0f} "
    "parts a second to one prefix",
}


def one_of_each(costs: Costs) -> str:
    """What one of each thing is."""
    figures = {name: getattr(costs, name) for name in costs.__slots__}
    return "; ".join(said.format(**figures) for said in _ONES.values())


def ladder(costs: Costs) -> list[str]:
    """What is full first with one of each thing, and how full all would be."""
    rows = [
        (
            each.name,
            f"{each.seconds * 1e3:,.1f}",
            f"{each.servers}",
            *(_short(each.load(costs.rate * scale)) for scale in SCALES),
            f"{_short(1 / each.load(costs.rate))} x",
        )
        for each in fullest(resources(costs))
    ]
    scales = [f"{scale:,} x" for scale in SCALES]
    return _table(["what", "ms a master", "servers", *scales, "full at"], rows)


def fleets(runs: Iterable[Run]) -> list[str]:
    """How many of each a load needs, what is fullest then, and how long a master takes."""
    rows = [
        (
            f"{run.scale:,} x",
            f"{run.costs.masters_a_day * run.scale:,.0f}",
            f"{run.rate:.3g}",
            *(f"{run.count(thing):,}" for thing in Thing),
            f"{run.fullest()[0]} {run.fullest()[1]:.0%}",
            *(f"{_percentile(run.seen.took, percent):.0f}" for percent in (50, 99)),
        )
        for run in runs
    ]
    things = [thing if thing is Thing.API else f"{thing}s" for thing in Thing]
    head = ["load", "masters a day", "a second", *things, "fullest", "p50 s", "p99 s"]
    return _table(head, rows)


def rates(runs: Iterable[Run]) -> list[str]:
    """What each PostgreSQL, NATS and store then does in a second."""
    rows = []
    for run in runs:
        costs, a_cell = run.costs, run.rate / run.count(Thing.CELL)
        beats = costs.beats(costs.master_gb, run.fleet[Thing.API])
        rows.append(
            (
                f"{run.scale:,} x",
                f"{a_cell * (costs.rows_job + beats * costs.rows_beat):,.0f}",
                f"{run.seen.committing:.0%}",
                f"{run.seen.shared:.1f}",
                f"{a_cell * costs.stored_job:,.0f}",
                f"{a_cell * beats:,.0f}",
                f"{run.rate / run.count(Thing.STORE) * costs.master_gb:.2f}",
            )
        )
    head = ["load", "rows/s of a PostgreSQL", "committing", "units a commit"]
    more = ["messages/s stored by a NATS", "signs of life/s", "GB/s of a store, each way"]
    return _table([*head, *more], rows)


def room(costs: Costs) -> list[str]:
    """What fills up: by arithmetic alone."""
    rows = []
    for scale in SCALES:
        masters = costs.masters_a_day * scale
        beats = costs.beats(costs.master_gb)
        log = (costs.wal_job_kb + beats * costs.wal_beat_kb) * masters * costs.peak / 86_400
        rows.append(
            (
                f"{scale:,} x",
                f"{masters * costs.master_gb / 1e3:,.0f}",
                f"{costs.rate * scale * costs.master_gb:,.2f}",
                f"{masters * costs.row_kb * _DAYS_A_YEAR / 1e6:,.0f}",
                f"{log / 1e3:,.2f}",
                f"{costs.events_gb * 1e6 / costs.events_kb / masters:.3g}",
            )
        )
    head = ["load", "TB a day", "GB/s into the store", "GB of rows a year", "MB/s of WAL"]
    return _table([*head, "days of events kept"], rows)


def check(runs: Sequence[Run]) -> list[str]:
    """Both side by side: by arithmetic / as it was seen."""
    columns = [list(run.compared()) for run in runs]
    rows = [
        (name, *(f"{_short(each[index][1])} / {_short(each[index][2])}" for each in columns))
        for index, (name, _, _) in enumerate(columns[0])
    ]
    return _table(["busy, as of one cell", *(f"{run.scale:,} x" for run in runs)], rows)


def sources(figures: Iterable[Figure]) -> list[str]:
    """Every figure with where it is from."""
    rows = [(f"`{each.name}`", f"{each.value:.6g}", each.source) for each in figures]
    return _table(["figure", "value", "from"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return [lines[0], "|---" * len(head) + "|", *lines[1:]]


def _percentile(ascending: Sequence[float], percent: int) -> float:
    return quantiles(ascending, n=100, method="inclusive")[percent - 1]


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"  # noqa: PLR2004 - digits
