"""How long operations take with more and more tasks: one database grows, the smallest stays beside.

Both take turns, so that a ratio is of times that were taken side by side.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, Final

from bench.page import described, put
from bench.scale.fill import Filling
from bench.scale.measure import Growth
from bench.service import DURABLE
from tests.support.core import migrate
from tests.support.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NAMES: Final = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
BOTH: Final = "both"


@contextmanager
def postgresql() -> Iterator[Callable[[], str]]:
    """A server; gives what makes a database of it with all tables."""
    server = PostgresServer()
    server.settings = dict(DURABLE)
    try:
        server.start()
        yield lambda: server.database(migrate)
    finally:
        server.remove()


@contextmanager
def sqlite() -> Iterator[Callable[[], str]]:
    """A folder; gives what makes a database in it with all tables."""
    with TemporaryDirectory(prefix="stagedoor-bench-") as folder:

        def made() -> str:
            file = Path(folder) / f"{len([*Path(folder).glob('*.db')])}.db"
            url = f"sqlite+aiosqlite:///{file}"
            migrate(url)
            return url

        yield made


KINDS: Final = {"postgresql": postgresql, "sqlite": sqlite}


async def grow(
    growth: Growth,
    urls: tuple[str, str],
    sizes: Sequence[int],
    rounds: int,
    tell: Callable[[], None],
) -> None:
    """Fill and measure, size by size; ``tell`` what is known after each."""
    small, large = (Filling(url) for url in urls)
    await small.grow(growth.smallest)
    for size in sizes:
        began = monotonic()
        await large.grow(size)
        print(f"{growth.name}: {size:,} tasks after {monotonic() - began:.0f} s")  # noqa: T201 - how far it is
        await growth.measure(urls, size, rounds)
        tell()


def _sizes(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[10_000, 100_000, 1_000_000, 5_000_000])
    parser.add_argument("--database", choices=(*KINDS, BOTH), default=BOTH)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    return parser


def main() -> None:
    """Run the benchmark."""
    arguments = _parser().parse_args()
    smallest, *sizes = sorted(arguments.sizes)
    kinds = [each for each in KINDS if arguments.database in {each, BOTH}]
    said = f"{described()}; medians of {arguments.rounds} interleaved rounds."
    lines: list[str] = []
    for kind in kinds:
        growth = Growth(NAMES[kind], smallest)

        def tell(done: Sequence[str] = tuple(lines), growth: Growth = growth) -> None:
            if arguments.write:
                put(arguments.write, "bench-scale", said, [*done, *growth.lines()])

        with KINDS[kind]() as made:
            asyncio.run(grow(growth, (made(), made()), sizes, arguments.rounds, tell))
        lines += [*growth.lines(), ""]
    print("\n".join((said, "", *lines)))  # noqa: T201 - what was asked for


if __name__ == "__main__":
    main()
