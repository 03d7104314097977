"""What PostgreSQL ends by itself is UNAVAILABLE, writes nothing, and leaves the pool healthy."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from services.api.db.executor import ALONE_TRIES
from services.api.domain.errors import Unavailable
from tests.support.core import open_core
from tests.support.letters import count, letter, touch, written

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from tests.support.core import Core


@pytest.fixture
async def postgres(migrated: str) -> AsyncIterator[Core]:
    async with open_core(migrated) as core:
        yield core


@asynccontextmanager
async def _lock_held(core: Core, n: int) -> AsyncIterator[None]:
    """A session of somebody else's that holds the lock of a row."""
    assert core.engines.listen is not None
    async with core.engines.listen.execution_options(
        isolation_level="READ COMMITTED"
    ).connect() as connection:
        statement = text("SELECT 1 FROM dead_letters WHERE reason = :reason FOR UPDATE")
        assert (await connection.execute(statement, {"reason": str(n)})).first()
        yield


def _limited(setting: str, then: Callable[[Transaction], object]) -> Callable[[Transaction], None]:
    """A unit that writes, and then takes longer than a setting allows."""

    def unit(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql(f"SET LOCAL {setting} = '200ms'")
        letter(1)(transaction)
        then(transaction)

    return unit


async def _refused_alone(executor: Executor, unit: Callable[[Transaction], None]) -> None:
    """The unit is refused, what shares its commit is not, and afterwards all is well."""
    results = await asyncio.gather(
        *(executor.write(each) for each in (letter(10), unit, letter(11))), return_exceptions=True
    )
    assert [type(result) for result in results] == [int, Unavailable, int]
    assert 1 not in await written(executor)
    many = range(20, 60)
    assert await asyncio.gather(*(executor.write(letter(n)) for n in many)) == list(many)
    rows, kept = await count(executor)
    assert rows == kept


@pytest.mark.parametrize("engine", ["write", "read"])
async def test_every_session_has_its_limits(postgres: Core, engine: str) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    async with getattr(postgres.engines, engine).connect() as connection:
        limits = [(await connection.execute(text(f"SHOW {name}"))).scalar() for name in names]
    assert limits == ["15s", "10s", "30s"]


async def test_a_row_that_somebody_keeps_locked(postgres: Core) -> None:
    executor = postgres.use_cases.executor
    await executor.write(letter(0))
    runs: list[None] = []

    def blocked(transaction: Transaction) -> None:
        runs.append(None)
        touch(transaction, 0)

    async with _lock_held(postgres, 0):
        await _refused_alone(executor, _limited("lock_timeout", blocked))
    assert len(runs) == 1  # it has waited long enough
    await executor.write(lambda transaction: touch(transaction, 0))


async def test_a_statement_that_takes_too_long(postgres: Core) -> None:
    runs: list[None] = []

    def slow(transaction: Transaction) -> None:
        runs.append(None)
        transaction.connection.exec_driver_sql("SELECT pg_sleep(30)")

    await _refused_alone(postgres.use_cases.executor, _limited("statement_timeout", slow))
    assert len(runs) == 1


async def test_a_read_that_takes_too_long(postgres: Core) -> None:
    def slow(connection: Any) -> None:
        connection.exec_driver_sql("SET statement_timeout = '200ms'")
        try:
            connection.exec_driver_sql("SELECT pg_sleep(30)")
        finally:
            connection.exec_driver_sql("RESET statement_timeout")

    executor = postgres.use_cases.executor
    for _ in range(10):
        with pytest.raises(Unavailable):
            await executor.read(slow)
    assert await count(executor) == (0, 0)


async def test_a_transaction_that_does_nothing_for_too_long(postgres: Core) -> None:
    """The server hangs up, so that everyone in the transaction has to run alone."""
    runs: list[None] = []

    def idle(transaction: Transaction) -> None:
        runs.append(None)
        time.sleep(0.4)
        transaction.now()

    unit = _limited("idle_in_transaction_session_timeout", idle)
    await _refused_alone(postgres.use_cases.executor, unit)
    assert len(runs) == 1 + ALONE_TRIES


async def test_a_connection_that_an_operator_ends_in_the_middle(postgres: Core) -> None:
    executor, other = postgres.use_cases.executor, postgres.engines.listen
    assert other is not None
    victims: asyncio.Queue[int] = asyncio.Queue()

    def long(transaction: Transaction) -> None:
        letter(1)(transaction)
        victims.put_nowait(
            transaction.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        )
        transaction.connection.exec_driver_sql("SELECT pg_sleep(1)")

    write = asyncio.ensure_future(executor.write(long))
    async with asyncio.timeout(20), other.connect() as connection:
        for run in range(2):
            victim = await victims.get()
            if not run:
                await connection.execute(text(f"SELECT pg_terminate_backend({victim})"))
        await write  # alone, and on a connection of its own
    assert await written(executor) == {1}
    assert await count(executor) == (1, 1)


async def test_of_two_that_wait_for_each_other_one_is_run_again_alone(migrated: str) -> None:
    async with open_core(migrated) as here, open_core(migrated) as there:
        executors = [here.use_cases.executor, there.use_cases.executor]
        await executors[0].write(letter(1))
        await executors[0].write(letter(2))
        runs: list[int] = []

        def crosswise(first: int, second: int) -> Callable[[Transaction], None]:
            def unit(transaction: Transaction) -> None:
                runs.append(first)
                touch(transaction, first)
                if len(runs) <= 2:  # until both have their first lock
                    transaction.connection.exec_driver_sql("SELECT pg_sleep(0.5)")
                touch(transaction, second)
                letter(10 + first)(transaction)

            return unit

        async with asyncio.timeout(30):
            await asyncio.gather(
                executors[0].write(crosswise(1, 2)), executors[1].write(crosswise(2, 1))
            )
        assert sorted(runs) in ([1, 1, 2], [1, 2, 2])
        assert await written(executors[0]) == {1, 2, 11, 12}
        assert await count(executors[0]) == (4, 4)
