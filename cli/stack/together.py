"""Jobs that run at once."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    Job = Coroutine[None, None, object]


async def together(*jobs: Job) -> None:
    """Run all at once; the first that fails cancels the others, and its error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def at_most(number: int, jobs: Iterable[Callable[[], Job]]) -> None:
    """Begin them in their order and run so many at once; otherwise as ``together``."""
    room = asyncio.Semaphore(number)

    async def run(job: Callable[[], Job]) -> None:
        async with room:
            await job()

    await together(*(run(job) for job in jobs))


def spare_cores() -> int:
    """How many cores there are beside the one for whoever is waited for the longest; one at least.

    To start a service is to compute: more at once than there are cores only slow each other down.
    """
    return max(1, (os.cpu_count() or 1) - 1)
