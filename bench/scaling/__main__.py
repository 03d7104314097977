"""How far it scales: the arithmetic, and a simulation that must agree with it.

Both are made of measured costs (``costs.toml``). They are made twice: with the pause between two
signs of life as it is, and with a longer one. Ends with 1 where the two disagree.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.page import put
from bench.scaling import tables
from bench.scaling.costs import load
from bench.scaling.runs import SCALES, TOLERANCE, disagreements, run

_SEED: Final = 2026


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--beat", type=float, default=10.0, help="seconds: the longer pause")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    return parser


def main() -> int:
    """Compute, simulate, compare, and write it into a page."""
    given = _parser().parse_args()
    costs, figures = load()
    worlds = {"now": costs, "later": replace(costs, short_beat_seconds=given.beat)}
    blocks: list[tuple[str, str, list[str]]] = []
    wrong: list[str] = []
    for name, world in worlds.items():
        runs = [run(world, scale, given.seed) for scale in SCALES]
        wrong += disagreements(runs)
        pause = f"A sign of life every {world.short_beat_seconds:g} s while bytes move"
        many = f"{world.beats(world.master_gb):.1f} a master"
        agreed = f"seed {given.seed}; {TOLERANCE:.0%} apart at most"
        blocks += [
            (f"scaling-{name}", f"One of each. {pause}, {many}.", tables.ladder(world)),
            (f"scaling-fleets-{name}", f"{pause}.", tables.fleets(runs)),
            (f"scaling-rates-{name}", f"{pause}.", tables.rates(runs)),
            (f"scaling-check-{name}", f"{pause}; {agreed}.", tables.check(runs)),
        ]
    blocks += [
        ("scaling-room", "All cells together.", tables.room(costs)),
        ("scaling-figures", f"One of each: {tables.one_of_each(costs)}.", tables.sources(figures)),
    ]
    for mark, said, lines in blocks:
        print(said, "", *lines, "", sep="\n")  # noqa: T201 - what was asked for
        if given.write and not wrong:
            put(given.write, f"bench-{mark}", said, lines)
    print(*wrong, sep="\n", file=sys.stderr)  # noqa: T201 - why it ends so
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
