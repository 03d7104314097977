"""What the processes keep in memory: after some tasks, and after many more.

Tasks are created over HTTP, so many at a time, each is got, and some lists are asked for meanwhile;
workers whose stages do nothing take them to their ends. Nobody creates faster than they do: what
waits is the broker's and the database's, and not what is looked at here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from bench.page import described, put
from bench.pipeline.systems import ours

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.pipeline.systems import Running

WINDOW: Final = 32
_TASKS: Final = "/api/v1/atmos-import-tasks"
_MEDIA_TYPE: Final = "application/vnd.api+json"
_WAITING: Final = 500
"""More unfinished tasks than that, and those who create wait."""
_EVERY: Final = 20
_NAMES: Final = ("API", "nats-server", "downloader", "validator")
_HEAD: Final = ("process", "MiB after {first:,} tasks", "after {last:,}", "x", "peak")


class Client:
    """Brings tasks, each with an ISRC of its own."""

    def __init__(self, session: aiohttp.ClientSession, track: str) -> None:
        """For a track, in a session that is allowed to."""
        self._session = session
        self._track = track
        self._made = 0

    async def bring(self, until: int) -> None:
        """Create until there are so many, and wait until all are done."""
        while self._made < until:
            some = range(self._made, min(self._made + _WAITING, until))
            queue = iter(some)
            await asyncio.gather(*(self._create_all(queue) for _ in range(WINDOW)))
            self._made = some.stop
            await self._wait()
            print(f"{self._made:,} tasks", file=sys.stderr)  # noqa: T201 - how far it is

    async def _create_all(self, numbers: Any) -> None:
        for number in numbers:
            attributes = {
                "url": f"https://cdn.example.com/{number}.wav",
                "secondaryIsrc": f"USBEN{number:07}",
            }
            track = {"data": {"type": "tracks", "id": self._track}}
            data = {"type": "atmos-import-tasks", "attributes": attributes}
            body = {"data": data | {"relationships": {"track": track}}}
            made = await self._ask("POST", _TASKS, body)
            await self._ask("GET", f"{_TASKS}/{made['data']['id']}")
            if number % _EVERY == 0:
                await self._ask("GET", f"{_TASKS}?sort=-createdAt")

    async def _wait(self) -> None:
        """Until nothing is under way."""
        while await self._under_way():  # noqa: ASYNC110 - there is no event to await
            await asyncio.sleep(0.1)

    async def _under_way(self) -> int:
        statuses = "pending,downloading,downloaded,validating"
        page = await self._ask("GET", f"{_TASKS}?filter[status]={statuses}&page[size]=1")
        total: int = page["meta"]["page"]["total"]
        return total

    async def _ask(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        async with self._session.request(method, url, json=body) as answer:
            said = await answer.json(content_type=None)
            if answer.status not in {200, 201}:
                raise RuntimeError(said)
            return said


async def measure(system: Running, marks: tuple[int, int]) -> list[tuple[str, list[float], float]]:
    """For each process what it has resident at each of two numbers of tasks, and its peak."""
    environ = system.environ
    headers = {"Authorization": f"Bearer {environ['TOKEN']}", "Content-Type": _MEDIA_TYPE}
    api, _, nats = system.servers  # what a database keeps in memory is as much as it may
    trees = dict(zip(_NAMES, (api, nats, *system.workers), strict=True))
    resident: dict[str, list[float]] = {name: [] for name in trees}
    async with aiohttp.ClientSession(environ["API"], headers=headers) as session:
        client = Client(session, environ["TRACK"])
        for mark in marks:
            await client.bring(mark)
            for name, tree in trees.items():
                resident[name].append(tree.resident_mebibytes())
    return [(name, resident[name], tree.peak_mebibytes()) for name, tree in trees.items()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.scale.memory", description=__doc__)
    parser.add_argument("--first", type=int, default=10_000, help="tasks before the first look")
    parser.add_argument("--tasks", type=int, default=1_000_000, help="tasks before the second")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    return parser


def main() -> None:
    """Run the benchmark."""
    arguments = _parser().parse_args()
    marks = (arguments.first, arguments.tasks)
    with (
        TemporaryDirectory(prefix="stagedoor-bench-") as folder,
        contextmanager(ours)(Path(folder)) as system,
    ):
        found = asyncio.run(measure(system, marks))
    names = [name.format(first=marks[0], last=marks[1]) for name in _HEAD]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [
        f"| {name} | {first:.0f} | {last:.0f} | {last / first:.2f} | {peak:.0f} |"
        for name, (first, last), peak in found
    ]
    said = f"{described()}; {WINDOW} creates at a time, each task got, a list every {_EVERY} tasks."
    print("\n".join((said, "", *lines)))  # noqa: T201 - what was asked for
    if arguments.write:
        put(arguments.write, "bench-memory", said, lines)


if __name__ == "__main__":
    main()
