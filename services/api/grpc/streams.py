"""Streams that end when the server stops."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

from services.api.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

T = TypeVar("T")


async def until(stopping: asyncio.Event, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Hand items on as they come; raises Unavailable as soon as the server is stopping.

    Closes the generator that makes the items. It runs in no task but the reader's, so that it has
    always come to rest when it is closed, whoever cancels whom.
    """
    stopped = asyncio.create_task(stopping.wait())
    try:
        async with aclosing(items):
            while not stopping.is_set():
                try:
                    item = await _next(items, stopped)
                except StopAsyncIteration:
                    return
                yield item
            raise _stopping()
    finally:
        stopped.cancel()
        await asyncio.wait({stopped})


async def _next(items: AsyncGenerator[T, None], stopped: asyncio.Task[bool]) -> T:
    """The next item, unless the server stops before it comes."""
    limit, is_waiting = asyncio.timeout(None), True

    def end(_: object) -> None:
        if is_waiting:
            limit.reschedule(asyncio.get_running_loop().time())

    stopped.add_done_callback(end)
    try:
        async with limit:
            return await anext(items)
    except TimeoutError:
        if limit.expired():
            raise _stopping() from None
        raise
    finally:
        is_waiting = False
        stopped.remove_done_callback(end)


def _stopping() -> Unavailable:
    return Unavailable("The server is stopping. Watch again.")
