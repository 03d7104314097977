"""The figures: found in the tables of the pages, and those of the code as the code has them."""

from __future__ import annotations

import pytest

from bench.scaling.costs import FLIGHTS, cell, load
from services.api.db.engine import open_engines
from services.downloader.settings import DownloaderSettings
from shared.blobs import objects
from shared.bus import streams
from shared.stage import run

PAGE = """
<!-- bench-x -->
said.

| server | case | ms |
|---|---|---|
| **ours**, fast | get | 1.5 |
| **ours**, fast | list | 2.5 |
<!-- /bench-x -->
| ours, fast | get | 9 |
"""


def test_a_cell_is_found_by_what_its_row_begins_with() -> None:
    assert cell(["", PAGE], "bench-x", "ms", ["ours, fast", "list"]) == 2.5


@pytest.mark.parametrize(
    ("table", "column", "row"),
    [("bench-y", "ms", ["ours, fast"]), ("bench-x", "s", ["ours, fast"]), ("bench-x", "ms", ["a"])],
)
def test_a_cell_that_is_nowhere_is_told(table: str, column: str, row: list[str]) -> None:
    with pytest.raises(ValueError, match=f"run make {table}"):
        cell([PAGE], table, column, row)


def test_every_figure_is_there_and_says_where_it_is_from() -> None:
    costs, figures = load()
    assert all(figure.source and figure.value > 0 for figure in figures)
    assert costs.api_job > costs.api_create


def test_figures_of_the_code_are_those_of_the_code() -> None:
    costs, _ = load()
    assert costs.short_beat_seconds == run._SHORTEST_BEAT_SECONDS  # noqa: SLF001 - the guard
    assert costs.long_beat_seconds == run._LONGEST_BEAT_SECONDS  # noqa: SLF001 - as there
    assert costs.part_gb == objects._PART_BYTES / 1e9  # noqa: SLF001 - as there
    assert costs.download_slots == DownloaderSettings.model_fields["download_slots"].default
    kept = {stream.name: stream.max_bytes for stream in streams.STREAMS}[streams.EVENTS]
    assert costs.events_gb == pytest.approx((kept or 0) / 1e9)
    assert open_engines("postgresql+asyncpg://nobody/nothing").write_concurrency == FLIGHTS
