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


async def test_it_does_not_begin_when_the_server_stops() -> None:
    stopping, source, seen = asyncio.Event(), Source(1, 2, ends=True), list[int]()
    stopping.set()
    with pytest.raises(Unavailable):
        await collect(until(stopping, source.run()), seen)
    assert seen == []


async def test_a_source_that_never_waits_ends_too() -> None:
    stopping, source, seen = asyncio.Event(), Source(1, 2, 3, ends=True), list[int]()
    stream = until(stopping, source.run())
    seen.append(await anext(stream))
    stopping.set()
    with pytest.raises(Unavailable):
        await collect(stream, seen)
    assert seen == [1]


async def test_an_item_that_comes_as_the_server_stops_is_the_last() -> None:
    """Whatever the loop does in between: nothing of the stop is left over when the item is out."""
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    for turns in range(4):
        stopping, coming = asyncio.Event(), asyncio.Event()

        async def run(coming: asyncio.Event = coming) -> AsyncGenerator[int, None]:
            await coming.wait()
            yield 1

        stream = until(stopping, run())
        reading = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.01)
        stopping.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        coming.set()
        await asyncio.wait({reading})
        assert reading.exception() is None or isinstance(reading.exception(), Unavailable)
        await stream.aclose()
        await asyncio.sleep(0)
    assert faults == []


async def test_its_source_s_own_timeouts_are_not_the_server_s() -> None:
    with pytest.raises(TimeoutError, match="mine"):
        await collect(until(asyncio.Event(), Source(fault=TimeoutError("mine")).run()), [])


class Slow(Source):
    """Takes a while to let go."""

    async def run(self) -> AsyncGenerator[int, None]:
        try:
            async for number in super().run():
                yield number
        finally:
            await asyncio.sleep(0.01)
            self.numbers = ()


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_cancels_whom_the_source_is_at_rest_when_it_is_closed(turns: int) -> None:
    """As when a server stops without grace: told to stop, then cancelled, and once more."""
    stopping, source = asyncio.Event(), Slow(1)
    task = asyncio.create_task(collect(until(stopping, source.run()), []))
    await source.silent.wait()
    stopping.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises((asyncio.CancelledError, Unavailable)):
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
