"""Streams that end when the server stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from services.api.domain.errors import NotFound, Unavailable
from services.api.grpc.streams import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator


class Source:
    """Numbers, then silence; knows whether it was closed."""

    def __init__(self, *numbers: int, ends: bool = False, fault: Exception | None = None) -> None:
        self.numbers = numbers
        self.ends = ends
        self.fault = fault
        self.closed = False
        self.silent = asyncio.Event()

    async def run(self) -> AsyncGenerator[int, None]:
        try:
            for number in self.numbers:
                yield number
            if self.fault:
                raise self.fault
            if not self.ends:
                self.silent.set()
                await asyncio.Event().wait()
        finally:
            self.closed = True


async def collect(items: AsyncIterator[int], into: list[int]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401 - what came before the end counts too


async def test_it_hands_everything_on() -> None:
    source, seen = Source(1, 2, 3, ends=True), list[int]()
    await collect(until(asyncio.Event(), source.run()), seen)
    assert (seen, source.closed) == ([1, 2, 3], True)


async def test_it_hands_refusals_on() -> None:
    source, seen = Source(1, fault=NotFound("tracks", 1)), list[int]()
    with pytest.raises(NotFound):
        await collect(until(asyncio.Event(), source.run()), seen)
    assert seen == [1]


async def test_it_ends_while_waiting_when_the_server_stops() -> None:
    stopping, source, seen = asyncio.Event(), Source(1), list[int]()
    task = asyncio.create_task(collect(until(stopping, source.run()), seen))
    await source.silent.wait()
    stopping.set()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(task, 1)
    assert (seen, source.closed) == ([1], True)


async def test_it_ends_when_cancelled_and_leaves_no_task_behind() -> None:
    source = Source(1)
    task = asyncio.create_task(collect(until(asyncio.Event(), source.run()), []))
    await source.silent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_it_ends_when_its_reader_goes() -> None:
    source = Source(1, 2)
    stream = until(asyncio.Event(), source.run())
    assert await anext(stream) == 1
    await stream.aclose()
    assert source.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}
