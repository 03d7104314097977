"""Times operations on two databases in turns, and what becomes of their times as a table."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from bench.scale.lists import list_cases
from bench.scale.work import KEEP, work_cases
from tests.support.core import open_core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scale.case import Case

SPENT_SECONDS: Final = 10.0
"""On one operation of one database: a slow one is repeated less often."""
_WARMING: Final = 2

Times = dict[str, list[float]]
"""In seconds, by the operation."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What operations took on a database of so many tasks, and in turns with it on the smallest."""

    tasks: int
    times: Times
    smallest: Times

    def ratio(self, name: str) -> float:
        """How many times as long."""
        return median(self.times[name]) / median(self.smallest[name])


@dataclass(slots=True)
class Growth:
    """What is known of one kind of database."""

    name: str
    smallest: int
    allowed: dict[str, float] = field(default_factory=dict)
    steps: list[Beside] = field(default_factory=list)

    async def measure(self, urls: tuple[str, str], tasks: int, rounds: int) -> None:
        """Time everything on the smallest database and on one of so many tasks."""
        async with open_core(urls[0], keep=KEEP) as small, open_core(urls[1], keep=KEEP) as large:
            cases = [[*await work_cases(core), *await list_cases(core)] for core in (small, large)]
            smallest, times = await _in_turns(*cases, rounds=rounds)
        self.allowed = {case.name: case.allowed for case in cases[0]}
        self.steps.append(Beside(tasks, times, smallest))

    def lines(self) -> list[str]:
        """A row for each operation; a ratio that exceeds what is allowed stands out."""
        columns = [f"{self.name}: ms with {self.smallest:,} tasks"]
        columns += [word for step in self.steps for word in (f"{step.tasks:,}", "x")]
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for name, allowed in self.allowed.items():
            first = [took for step in self.steps for took in step.smallest[name]]
            cells = [f"{name}: {_ms(first)}"]
            for step in self.steps:
                ratio = step.ratio(name)
                mark = "**" if ratio > allowed else ""
                cells += [_ms(step.times[name]), f"{mark}{ratio:.1f}{mark}"]
            lines.append(f"| {' | '.join(cells)} |")
        return lines


async def _in_turns(
    small: Sequence[Case], large: Sequence[Case], *, rounds: int
) -> tuple[Times, Times]:
    """Time each operation on both, in another order in each round."""
    both: tuple[Times, Times] = defaultdict(list), defaultdict(list)
    pairs = list(zip(small, large, strict=True))
    for round_ in range(rounds + _WARMING):
        print(f"round {round_ + 1} of {rounds + _WARMING}", file=sys.stderr)  # noqa: T201 - how far it is
        for pair in random.sample(pairs, len(pairs)):
            for place in random.sample((0, 1), 2):
                case, taken = pair[place], both[place]
                if sum(taken[case.name]) < SPENT_SECONDS:
                    taken[case.name].append(await _timed(case))
    return _warm(both[0]), _warm(both[1])


def _warm(times: Times) -> Times:
    """Without the first rounds, in which statements were prepared and pages read."""
    return {name: taken[_WARMING:] or taken for name, taken in times.items()}


async def _timed(case: Case) -> float:
    prepared = await case.prepare()
    began = perf_counter()
    await case.run(prepared)
    return perf_counter() - began


def _ms(times: Sequence[float]) -> str:
    return f"{median(times) * 1e3:.2f}"
