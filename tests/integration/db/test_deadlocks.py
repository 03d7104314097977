"""Two replicas whose shared commits want the same rows in opposite order get on with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.signals import Signals
from tests.support.letters import letter, touch

if TYPE_CHECKING:
    from collections.abc import Iterable

ROWS = 120


async def test_a_deadlock_is_met_once_and_not_by_every_unit_of_a_commit(database_url: str) -> None:
    """PostgreSQL finds a deadlock after a second; to meet one for each unit would take a minute."""
    both = [Executor(open_engines(database_url), Signals().notify) for _ in range(2)]

    async def touched(executor: Executor, rows: Iterable[int]) -> None:
        await asyncio.gather(*(executor.write(lambda t, n=n: touch(t, n)) for n in rows))  # type: ignore[misc] # bound now

    await asyncio.gather(*(both[0].write(letter(n)) for n in range(ROWS)))
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(
                touched(both[0], range(ROWS)), touched(both[1], reversed(range(ROWS)))
            )
    finally:
        for executor in both:
            await executor.close()
