"""Streams that end when the server stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeVar

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = TypeVar("T")


async def until(stopping: asyncio.Event, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Hand items on as they come; raises Unavailable as soon as the server is stopping.

    Closes the generator that makes the items.
    """
    stopped = asyncio.create_task(stopping.wait())
    try:
        while True:
            coming = asyncio.ensure_future(anext(items))
            try:
                await asyncio.wait({coming, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise Unavailable("The server is stopping. Watch again.")
                item = await coming
            except StopAsyncIteration:
                return
            finally:
                await _ended(coming)
            yield item
    finally:
        await _ended(stopped)
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _ended(task: asyncio.Future[T]) -> None:
    task.cancel()
    await asyncio.wait({task})
