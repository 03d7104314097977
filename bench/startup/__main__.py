"""Time starts of the embedded stack, and tell what each of its processes loads."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Final

from bench.page import described, put
from bench.startup import loads, starts

PAGE_MARK: Final = "bench-startup"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="another checkout, to start in turns with this")
    parser.add_argument("--write", type=Path, help="the page to put the tables into")
    return parser


def main() -> None:
    """Run the benchmark."""
    arguments = _parser().parse_args()
    checkouts = {"`up`": starts.ROOT}
    if arguments.beside:
        checkouts = {"before: `up`": arguments.beside.absolute(), **checkouts}
    found = starts.starts(checkouts, arguments.rounds)
    lines = [*starts.table(found), "", *loads.table(loads.loads(arguments.rounds))]
    said = (
        f"{described()}; starts: medians of {arguments.rounds} interleaved rounds; loads: the "
        f"least of {arguments.rounds}; load {os.getloadavg()[0]:.1f} at the end."
    )
    print("\n".join((said, "", *lines)))  # noqa: T201 - what was asked for
    if arguments.write:
        put(arguments.write, PAGE_MARK, said, lines)


if __name__ == "__main__":
    main()
