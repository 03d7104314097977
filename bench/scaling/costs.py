"""What everything costs: ``costs.toml``, with the cells of the tables that it names."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STEPS: Final = 5
"""A master's, each with a commit and an event: create, two claims, two reports."""
FLIGHTS: Final = 2
"""How many transactions of an API replica are under way at once; see db/engine.py."""
_FILE: Final = Path(__file__).with_suffix(".toml")
_DOCS: Final = Path(__file__).parents[2] / "docs"
PAGES: Final = (_DOCS / "performance.md", _DOCS / "scaling.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The figures of ``costs.toml``; there is what each of them is."""

    masters_a_day: float
    peak: float
    master_gb: float
    master_spread: float
    api_create: float
    api_job: float
    api_beat: float
    postgres_job: float
    postgres_beat: float
    postgres_cores: float
    nats_job: float
    nats_beat: float
    nats_cores: float
    fsync_seconds: float
    round_trip_seconds: float
    statements: float
    short_beat_seconds: float
    long_beat_seconds: float
    download_slots: float
    download_gb_per_second: float
    download_per_gb: float
    download_cores: float
    download_link_gb_per_second: float
    fetch_gb_per_second: float
    hash_per_gb: float
    inspect_per_gb: float
    opinions: float
    store_gb_per_second: float
    store_parts_per_second: float
    part_gb: float
    row_kb: float
    rows_job: float
    stored_job: float
    rows_beat: float
    wal_job_kb: float
    wal_beat_kb: float
    events_gb: float
    events_kb: float

    @property
    def rate(self) -> float:
        """Masters a second in the fullest hour."""
        return self.masters_a_day * self.peak / 86_400

    @property
    def api_step(self) -> float:
        """What a claim or a report takes of the API, with what follows from it."""
        return (self.api_job - self.api_create) / (STEPS - 1)

    def commit_seconds(self, replicas: int = 1) -> float:
        """How long a transaction takes at least, when those of all replicas follow each other."""
        alone = self.statements * self.round_trip_seconds + self.fsync_seconds
        return max(alone, replicas * FLIGHTS * self.fsync_seconds)

    @property
    def postgres_step(self) -> float:
        """What a step takes of PostgreSQL."""
        return self.postgres_job / STEPS

    @property
    def nats_step(self) -> float:
        """What a step takes of the broker, without the disk."""
        return self.nats_job / STEPS

    def downloading(self, gb: float) -> float:
        """Seconds on the line."""
        return gb / self.download_gb_per_second

    def judging(self, gb: float) -> tuple[tuple[float, float], ...]:
        """A validation's phases: seconds, and the pause between signs of life meanwhile.

        It fetches, hashes and inspects; of hashing alone it tells how far it is.
        """
        inspecting = gb * self.inspect_per_gb + self.opinions
        return (
            (gb / self.fetch_gb_per_second, self.long_beat_seconds),
            (gb * self.hash_per_gb, self.short_beat_seconds),
            (inspecting, self.long_beat_seconds),
        )

    def parts_seconds(self, gb: float) -> float:
        """How long a prefix of the store is busy with a master's parts."""
        return gb / self.part_gb / self.store_parts_per_second

    def beats(self, gb: float, replicas: int = 1) -> float:
        """How many signs of life a master takes, about: none comes at the end of a phase.

        The pause begins with the answer to the one before, so that a slow API hears fewer.
        """
        answer = self.nats_beat + self.api_beat + self.postgres_beat + self.commit_seconds(replicas)
        phases = ((self.downloading(gb), self.short_beat_seconds), *self.judging(gb))
        each = (seconds / (pause + answer) - 0.5 for seconds, pause in phases)
        return sum(max(0.0, number) for number in each)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure and where it is from."""

    name: str
    value: float
    source: str


def load(pages: Iterable[Path] = PAGES) -> tuple[Costs, list[Figure]]:
    """The costs, and where each is from. Raises ValueError for a cell that no page has."""
    texts = [page.read_text("utf-8") for page in pages]
    given: dict[str, dict[str, Any]] = tomllib.loads(_FILE.read_text("utf-8"))
    figures = [_figure(name, each, texts) for name, each in given.items()]
    return Costs(**{figure.name: figure.value for figure in figures}), figures


def _figure(name: str, given: dict[str, Any], texts: list[str]) -> Figure:
    if "value" in given:
        return Figure(name, float(given["value"]), given["source"])
    table, column, *row = given["cell"]
    value = cell(texts, table, column, row) * given.get("unit", 1.0)
    return Figure(name, value, f"{table}: {', '.join(row)}, {column}")


def cell(texts: Iterable[str], table: str, column: str, row: list[str]) -> float:
    """The number of a benchmark's table in a row that begins so. Raises ValueError without it."""
    for text in texts:
        _, _, after = text.partition(f"<!-- {table} -->")
        lines = _rows(after.partition(f"<!-- /{table} -->")[0])
        head = next(lines, [])
        for cells in lines:
            if column in head and cells[: len(row)] == row:
                return float(cells[head.index(column)])
    raise ValueError(f"no {column} of {row} in the table of {table}: run make {table}")


def _rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|--"):
            yield [part.strip().replace("*", "") for part in line.strip("|").split("|")]
