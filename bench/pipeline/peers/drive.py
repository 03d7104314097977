"""What every peer does: bring jobs, wait for those that are done, and say how long it took.

``burst N`` brings N jobs one after the other, as the peer's own documentation does, and waits for
all; ``steady RATE SECONDS`` brings so many in a second and says how long each took, in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from statistics import quantiles
from time import monotonic

Submit = Callable[[str], Awaitable[object]]
Client = AbstractAsyncContextManager[tuple[Submit, AsyncIterator[str]]]


async def burst(submit: Submit, done: AsyncIterator[str], count: int) -> dict[str, float]:
    """How long so many take, submitting included."""
    began = monotonic()
    waiting = asyncio.create_task(_until_all(done, {str(number) for number in range(count)}))
    for number in range(count):
        await submit(str(number))
    await waiting
    return {"jobs": count, "seconds": monotonic() - began}


async def _until_all(done: AsyncIterator[str], left: set[str]) -> None:
    async for job in done:
        left.discard(job)
        if not left:
            return


async def steady(
    submit: Submit, done: AsyncIterator[str], rate: float, seconds: float
) -> dict[str, float]:
    """How long each takes from its submission on."""
    count = round(rate * seconds)
    begun: dict[str, float] = {}
    took: list[float] = []

    async def listen() -> None:
        async for job in done:
            took.append(monotonic() - begun[job])
            if len(took) == count:
                return

    listening, start = asyncio.create_task(listen()), monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / rate - monotonic()))
        begun[f"s{number}"] = monotonic()
        await submit(f"s{number}")
    await listening
    parts = quantiles(took, n=100)
    return {"jobs": count, "p50": parts[49] * 1e3, "p99": parts[98] * 1e3}


def main(connect: Callable[[], Client]) -> None:
    """Do what the arguments say and print the result as JSON."""

    async def run() -> dict[str, float]:
        what, *numbers = sys.argv[2:]
        async with connect() as (submit, done):
            if what == "burst":
                return await burst(submit, done, int(numbers[0]))
            return await steady(submit, done, float(numbers[0]), float(numbers[1]))

    print(json.dumps(asyncio.run(run())))  # noqa: T201 - its output
