"""A cell at work, and the arithmetic that it has to agree with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.scaling.cell import Cell
from bench.scaling.plan import AIM, Name, Thing, fleet, fullest, resources, seconds_alone
from bench.scaling.runs import disagreements, run

if TYPE_CHECKING:
    from bench.scaling.costs import Costs
    from bench.scaling.plan import Fleet

PLENTY = dict.fromkeys(Thing, 20)
SEED = 7


@pytest.mark.parametrize("starved", [Thing.API, Thing.DOWNLOADER, Thing.VALIDATOR, Thing.STORE])
def test_what_there_is_too_little_of_is_the_fullest(costs: Costs, starved: Thing) -> None:
    few: Fleet = {**PLENTY, starved: 1, Thing.CELL: 1}
    # So slow that one of it cannot do what comes, while twenty could.
    slow = replace(costs, api_job=1.7, store_gb_per_second=0.6, download_gb_per_second=0.15)
    seen = run(replace(slow, short_beat_seconds=10), 1, SEED, few, masters=400)
    name, share = seen.fullest()
    assert {each.name: each.thing for each in resources(slow)}[name] is starved
    assert share > 0.95


def test_a_full_stream_is_the_fullest(costs: Costs) -> None:
    slow = replace(costs, fsync_seconds=0.25, statements=0)
    seen = run(slow, 1, SEED, {**PLENTY, Thing.CELL: 1}, masters=400)
    assert seen.fullest()[0] is Name.EVENTS


@pytest.mark.parametrize("things", [1, 20])
def test_every_master_comes_to_its_end_once(costs: Costs, things: int) -> None:
    cell = Cell(costs, dict.fromkeys(Thing, things), SEED)
    seen = cell.measure(rate=2.0, warming=0.0, seconds=300.0)
    assert seen.created == pytest.approx(600, rel=0.15)
    assert seen.created == seen.completed == len(seen.took)


def test_a_master_that_is_alone_waits_for_nobody(costs: Costs) -> None:
    same = replace(costs, master_spread=0.0)
    seen = Cell(same, PLENTY, SEED).measure(rate=0.01, warming=0.0, seconds=20_000.0)
    assert seen.took[0] == pytest.approx(seconds_alone(same), rel=0.01)
    assert seen.took[len(seen.took) // 2] == pytest.approx(seconds_alone(same), rel=0.01)


def test_a_cell_is_as_busy_as_the_arithmetic_says(costs: Costs) -> None:
    runs = [run(costs, scale, SEED, masters=1500) for scale in (1, 4)]
    assert disagreements(runs) == []
    assert all(share < 0.9 for _, share in (each.fullest() for each in runs))


def test_a_disagreement_is_told(costs: Costs) -> None:
    seen = run(costs, 1, SEED, masters=1000)
    told = disagreements([replace(seen, costs=replace(costs, nats_job=costs.nats_job * 1.5))])
    assert [line.split(":")[1].strip() for line in told] == [Name.NATS]
    lost = replace(seen, seen=replace(seen.seen, completed=seen.seen.completed - 1))
    assert len(disagreements([lost])) == 1


def test_the_same_seed_gives_the_same(costs: Costs) -> None:
    first, second, other = (run(costs, 1, seed, masters=200).seen for seed in (1, 1, 2))
    assert first == second != other


def test_a_fleet_has_as_few_as_keep_below_the_aim(costs: Costs) -> None:
    needed = resources(costs)
    for rate in (0.5, 7.0, 300.0):
        chosen = fleet(needed, rate)
        for thing, count in chosen.items():
            cells = 1 if thing is Thing.CELL else chosen[Thing.CELL]
            loads = [each.load(rate / cells, count) for each in needed if each.thing is thing]
            assert max(loads) <= AIM
            if count > 1:
                assert max(loads) * count / (count - 1) > AIM


def test_what_is_full_first_comes_first(costs: Costs) -> None:
    order = [each.name for each in fullest(resources(replace(costs, fsync_seconds=10.0)))]
    assert order[:3] == [Name.EVENTS, Name.COMMANDS, Name.REPORTS]
