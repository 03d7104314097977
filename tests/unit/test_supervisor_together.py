"""How many of the stack's programs start at once, and what follows when one cannot."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from cli.stack.together import at_most, spare_cores, together


class Counted:
    """Jobs that end when they are let, and how many run."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.let = asyncio.Semaphore(0)

    async def job(self, number: int) -> None:
        self.begun.append(number)
        await self.let.acquire()


async def test_no_more_run_at_once_than_may() -> None:
    counted = Counted()
    running = asyncio.create_task(at_most(2, (partial(counted.job, number) for number in range(4))))
    await asyncio.sleep(0)
    for begun in ([0, 1], [0, 1, 2], [0, 1, 2, 3]):
        for _ in range(10):
            await asyncio.sleep(0)
        assert counted.begun == begun
        counted.let.release()
    counted.let.release()
    await running


async def test_the_first_that_fails_ends_the_others() -> None:
    async def fails() -> None:
        raise OSError("no")

    forever = asyncio.Event().wait
    with pytest.raises(OSError, match="no"):
        await together(forever(), at_most(1, [fails, forever]))


@pytest.mark.parametrize(("cores", "spare"), [(None, 1), (1, 1), (2, 1), (8, 7)])
def test_a_core_is_left_for_the_api(
    cores: int | None, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert spare_cores() == spare
