"""Units of work: whole or not at all, alone in their failure, indifferent to their callers."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.tables import dead_letters
from services.api.domain.errors import StateConflict, Unavailable
from services.api.signals import Signals
from tests.support.letters import count, letter

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core


async def test_many_units_share_commits_and_each_gets_its_answer(any_core: Core) -> None:
    executor = any_core.use_cases.executor
    answers = await asyncio.gather(*(executor.write(letter(n)) for n in range(100)))
    assert answers == list(range(100))
    assert await count(executor) == (100, 100)


async def test_a_refusal_in_a_shared_commit_takes_back_its_own_writes_only(any_core: Core) -> None:
    executor = any_core.use_cases.executor

    def refused(transaction: Transaction) -> int:
        letter(1000)(transaction)
        raise StateConflict("no")

    results = await asyncio.gather(
        *(executor.write(refused if n % 3 == 0 else letter(n)) for n in range(30)),
        return_exceptions=True,
    )
    assert [isinstance(r, StateConflict) for r in results] == [n % 3 == 0 for n in range(30)]
    assert await count(executor) == (20, 20)


async def test_a_broken_constraint_fails_alone(any_core: Core) -> None:
    executor = any_core.use_cases.executor
    results = await asyncio.gather(
        *(executor.write(letter(n)) for n in (1, 2, 2, 3)), return_exceptions=True
    )
    failed = [r for r in results if isinstance(r, Exception)]
    assert [type(f) for f in failed] == [IntegrityError]
    assert await count(executor) == (3, 3)


async def test_callers_that_go_away_wedge_nothing_and_split_nothing(any_core: Core) -> None:
    executor, random = any_core.use_cases.executor, Random(7)

    async def impatient(n: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 0.01)):
                await executor.write(letter(n))

    await asyncio.gather(*(impatient(n) for n in range(200)))
    await executor.write(letter(1000))
    rows, kept = await count(executor)
    assert rows == kept >= 1


async def test_writers_that_read_first_lose_no_update(database_url: str) -> None:
    """Two executors are two processes to the database: an operator's command beside the API."""

    def read_then_write(transaction: Transaction) -> None:
        where = dead_letters.c.id == UUID(int=1)
        locked = select(dead_letters.c.reason).where(where).with_for_update()
        n = int(transaction.connection.execute(locked).scalar_one())
        transaction.connection.execute(update(dead_letters).where(where).values(reason=str(n + 1)))

    both = [Executor(open_engines(database_url), Signals().notify) for _ in range(2)]
    await both[0].write(letter(1))

    async def writes(executor: Executor) -> None:
        for _ in range(50):
            await executor.write(read_then_write)

    await asyncio.gather(*(writes(executor) for executor in both))
    reason = await both[0].read(lambda c: c.execute(select(dead_letters.c.reason)).scalar_one())
    for executor in both:
        await executor.close()
    assert reason == "101"


async def test_signals_follow_the_commit_and_only_a_commit(any_core: Core) -> None:
    executor = any_core.use_cases.executor

    def noisy(transaction: Transaction) -> None:
        transaction.notify("noise")

    def noisy_and_refused(transaction: Transaction) -> None:
        transaction.notify("noise")
        raise StateConflict("no")

    with any_core.signals.subscribe("noise") as noise:
        with pytest.raises(StateConflict):
            await executor.write(noisy_and_refused)
        assert not await noise.wait(0)
        await executor.write(noisy)
        assert await noise.wait(0)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+aiosqlite:////nowhere/at/all.db",
        "postgresql+asyncpg://postgres@/none?host=/nowhere/at/all",
    ],
)
async def test_a_database_that_cannot_be_reached_is_unavailable(url: str) -> None:
    executor = Executor(open_engines(url), Signals().notify)
    with pytest.raises(Unavailable):
        await executor.write(letter(1))
    with pytest.raises(Unavailable):
        await executor.read(lambda c: c.execute(select(dead_letters)).first())
    await executor.close()
    # aiosqlite does not wait for its thread when a connection could not be opened.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join)
