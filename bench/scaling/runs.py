"""The runs of the simulation: a load, the fleet that the arithmetic says, and what a cell shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.scaling.cell import Cell, Measured
from bench.scaling.plan import Fleet, Name, Thing, fleet, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.scaling.costs import Costs

SCALES: Final = (1, 10, 100, 1000)
TOLERANCE: Final = 0.05
"""How far the simulation may be from the arithmetic; chance alone moves it by 2 %."""
# Twice what a master takes, so that the cell is as full as it gets.
_WARMING_SECONDS: Final = 90.0
_LEAST_SECONDS: Final = 40.0
_MASTERS: Final = 2500


@dataclass(frozen=True, slots=True)
class Run:
    """So many times the load on the fleet for it: one of its cells was looked at."""

    scale: int
    costs: Costs
    fleet: Fleet
    seen: Measured

    @property
    def rate(self) -> float:
        """Masters a second that came to all cells."""
        return self.costs.rate * self.scale

    def count(self, thing: Thing) -> int:
        """How many there are in all cells."""
        return self.fleet[Thing.CELL] * self._of(thing)

    def fullest(self) -> tuple[Name, float]:
        """What was seen to be the fullest, and how full it was."""
        shares = {
            each.name: self.seen.busy[each.name] / each.servers / self._of(each.thing)
            for each in resources(self.costs)
        }
        return max(shares.items(), key=lambda share: share[1])

    def _of(self, thing: Thing) -> int:
        return 1 if thing is Thing.CELL else self.fleet[thing]

    def compared(self) -> Iterator[tuple[str, float, float]]:
        """What is compared: by arithmetic, for the masters that came, and as it was seen."""
        for each in resources(self.costs, self.fleet[Thing.API]):
            yield each.name, each.load(self.seen.rate), self.seen.busy[each.name] / each.servers
        mean = sum(self.seen.took) / len(self.seen.took)
        yield "masters inside (Little)", self.seen.rate * mean, self.seen.inside


def run(
    costs: Costs, scale: int, seed: int, chosen: Fleet | None = None, masters: int = _MASTERS
) -> Run:
    """Let masters come to one cell of a fleet, or of the one that so many times the load needs.

    One looks until so many have come, or a little longer.
    """
    rate = costs.rate * scale
    chosen = chosen or fleet(resources(costs), rate)
    rate /= chosen[Thing.CELL]
    seconds = max(_LEAST_SECONDS, masters / rate)
    seen = Cell(costs, chosen, seed).measure(rate, _WARMING_SECONDS, seconds)
    return Run(scale, costs, chosen, seen)


def disagreements(runs: list[Run]) -> list[str]:
    """Where a simulation and the arithmetic are further apart than may be, or a master was lost."""
    apart = [
        f"{each.scale} x: {name}: {computed:.4g} by arithmetic, {seen:.4g} seen"
        for each in runs
        for name, computed, seen in each.compared()
        if abs(seen - computed) > TOLERANCE * computed
    ]
    lost = [
        f"{each.scale} x: {each.seen.created} created, {each.seen.completed} completed"
        for each in runs
        if each.seen.created != each.seen.completed
    ]
    return apart + lost
