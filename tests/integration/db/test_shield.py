"""What has begun to be written is written, whoever of those who asked for it is still there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.support.letters import letter, written

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core


async def test_a_write_that_has_begun_is_finished_without_its_caller(any_core: Core) -> None:
    executor, began = any_core.use_cases.executor, asyncio.Event()

    def unit(transaction: Transaction) -> int:
        began.set()
        return letter(1)(transaction)

    caller = asyncio.create_task(executor.write(unit))
    await began.wait()
    caller.cancel()
    with suppress(asyncio.CancelledError):
        await caller
    await executor.write(letter(2))
    assert await written(executor) == {1, 2}
