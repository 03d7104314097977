"""Several replicas of the API over one database, in one process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from services.api.db.notifications import listeners
from services.api.secrets import SecretKeys
from tests.support.core import Core, open_core

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def hearing(core: Core) -> AsyncIterator[None]:
    """Listen to the other replicas; returns when it does, which it tells by waking everyone."""
    with core.signals.subscribe("anything") as woken:
        tasks = [asyncio.create_task(each.run()) for each in listeners(core.engines, core.signals)]
        try:
            assert not tasks or await woken.wait(20)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_replicas(url: str, count: int) -> AsyncIterator[list[Core]]:
    """So many replicas that hear of each other."""
    keys = SecretKeys.generate()
    async with AsyncExitStack() as stack:
        cores = [await stack.enter_async_context(open_core(url, keys=keys)) for _ in range(count)]
        for core in cores:
            await stack.enter_async_context(hearing(core))
        yield cores
