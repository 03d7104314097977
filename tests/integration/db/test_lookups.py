"""Lookups: many ask side by side, few statements answer, and none that began before they asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from uuid_utils.compat import uuid7

from services.api.db.lookups import Gathering, Lookup, padded
from services.api.db.tables import dead_letters, idempotency_keys
from services.api.db.task_rows import TASKS
from services.api.domain.errors import Unavailable
from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Accepted, Go, Run, Stored
from services.api.domain.task import Master, Target
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import FORMAT, MD5, PACKED, a_principal, open_core
from tests.support.letters import letter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.api.db.transactions import Transaction
    from tests.support.core import Core

WHO = a_principal()
STORED = Stored(master=Master(blob_key="a/b", size_bytes=1000, md5=MD5))
ACCEPTED = Accepted(md5=MD5, size_bytes=1000, format=FORMAT, report=PACKED)


def statements(engine: AsyncEngine) -> list[str]:
    """Grows with each statement that the database is given."""
    seen: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *said: seen.append(said[2]))
    return seen


async def test_many_ask_and_few_statements_answer(any_core: Core) -> None:
    tasks = [await any_core.task() for _ in range(20)]
    executor, seen = any_core.use_cases.executor, statements(any_core.engines.read)
    found = await asyncio.gather(*(executor.find(TASKS, task.id) for task in tasks * 5))
    assert [each and each.id for each in found] == [task.id for task in tasks] * 5
    assert len(seen) <= 2


async def test_what_there_is_not_is_none(any_core: Core) -> None:
    missing = UUID(int=(await any_core.task()).id.int + 1)
    assert await any_core.use_cases.executor.find(TASKS, missing) is None


async def test_who_asks_after_a_commit_sees_it(any_core: Core) -> None:
    """Also while others ask all the time, so that there is always a statement under way."""
    executor, stop = any_core.use_cases.executor, asyncio.Event()
    other = (await any_core.task()).id

    async def keep_asking() -> None:
        while not stop.is_set():
            await executor.find(TASKS, other)

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(keep_asking())
        for _ in range(30):
            task = await any_core.task()
            assert await executor.find(TASKS, task.id) == task
        stop.set()


async def test_an_error_reaches_all_who_asked_and_nobody_else() -> None:
    async def read(_: Callable[[Connection], Mapping[str, str]]) -> Mapping[str, str]:
        raise Unavailable

    asked: Lookup[str, str] = Lookup(lambda _, keys: dict.fromkeys(keys, "found"))
    gathering = Gathering(read)
    answers = [gathering.find(asked, key) for key in "abc"]
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}


async def test_who_goes_away_takes_nobody_along(any_core: Core) -> None:
    executor, task = any_core.use_cases.executor, await any_core.task()
    asking = [asyncio.create_task(executor.find(TASKS, task.id)) for _ in range(10)]
    await asyncio.sleep(0)
    for each in asking[::2]:
        each.cancel()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, False] * 5
    assert results[1::2] == [task] * 5


def test_numbers_of_keys_are_few() -> None:
    sizes = {len(padded([*range(count)])) for count in range(1, 129)}
    assert sizes == {1, 2, 4, 8, 16, 32, 64, 128}
    assert set(padded(["a", "b", "c"])) == {"a", "b", "c"}


async def test_creates_that_share_a_commit_share_its_statements(any_core: Core) -> None:
    """However many: none of them asks for itself, and none writes for itself."""
    target = Target("tracks", (await any_core.track()).id)
    tasks = any_core.use_cases.import_tasks
    seen = statements(any_core.engines.write)

    async def create(count: int, begin: int) -> int:
        seen.clear()
        await asyncio.gather(
            *(
                tasks.create(
                    WHO,
                    TaskFields(
                        source_uri="https://a.example/b", isrc=f"USRC2{n:07}", target=target
                    ),
                    options=Options(key=f"key {n}"),
                )
                for n in range(begin, begin + count)
            )
        )
        return len(seen)

    await create(1, 0)  # takes numbers
    few, many = await create(2, 100), await create(30, 200)
    assert few == many


async def test_a_unit_that_reads_and_adds_makes_no_savepoint(any_core: Core) -> None:
    tasks = any_core.use_cases.import_tasks
    fields = TaskFields(
        source_uri="https://a.example/b", target=Target("tracks", (await any_core.track()).id)
    )
    await tasks.create(WHO, fields)  # takes numbers
    seen = statements(any_core.engines.write)
    await tasks.create(WHO, fields)
    assert seen
    assert not [each for each in seen if "SAVEPOINT" in each]


async def test_a_read_survives_the_end_of_its_connection(migrated: str) -> None:
    """That nobody has noticed yet: the next read meets it, and asks again."""
    async with open_core(migrated) as core:
        task = await core.task()
        executor = core.use_cases.executor
        assert await executor.find(TASKS, task.id) == task

        def end_others(transaction: Transaction) -> None:
            transaction.connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

        await executor.write(end_others)
        assert await executor.find(TASKS, task.id) == task


async def test_two_rows_alike_break_the_commit_and_then_only_one_of_them(any_core: Core) -> None:
    """What units add is written at the end: who is to blame shows when each runs alone."""
    executor = any_core.use_cases.executor

    def added(n: int) -> Callable[[Transaction], int]:
        def unit(transaction: Transaction) -> int:
            row = {"id": UUID(int=n), "subject": "s", "payload": b"", "reason": "r"}
            transaction.add(dead_letters, row | {"created_at": transaction.now()})
            return n

        return unit

    results = await asyncio.gather(
        *(executor.write(added(n)) for n in (1, 2, 2, 3)), return_exceptions=True
    )
    failed = [each for each in results if isinstance(each, BaseException)]
    assert [type(each) for each in failed] == [IntegrityError]
    rows = await executor.read(
        lambda c: {each.int for each in c.scalars(select(dead_letters.c.id))}
    )
    assert rows == {1, 2, 3}


async def test_who_needs_to_see_what_was_added_sees_it(any_core: Core) -> None:
    """By a unit before, or by itself: the first other statement has it written."""
    executor, seen = any_core.use_cases.executor, list[int]()

    def looks(transaction: Transaction) -> None:
        found: Sequence[object] = transaction.connection.scalars(select(dead_letters.c.id)).all()
        seen.append(len(found))

    def adds_and_looks(transaction: Transaction) -> None:
        row = {"id": UUID(int=9), "subject": "s", "payload": b"", "reason": "r"}
        transaction.add(dead_letters, row | {"created_at": transaction.now()})
        looks(transaction)

    await asyncio.gather(executor.write(letter(1)), executor.write(adds_and_looks))
    assert seen == [2]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_value_that_cannot_be_written_is_a_fault_of_ours(
    any_core: Core, count: int
) -> None:
    """And not of the database: nobody is told to try again."""
    executor = any_core.use_cases.executor

    def unit(transaction: Transaction) -> None:
        values = {"tenant": "t", "key": "k", "fingerprint": "f", "answer": object()}
        new = idempotency_keys.insert().values(**values, created_at=transaction.now())
        transaction.connection.execute(new)

    results = await asyncio.gather(
        *(executor.write(unit) for _ in range(count)), return_exceptions=True
    )
    assert {type(each) for each in results} == {StatementError}


async def test_two_requests_with_one_key_break_no_commit_of_others(any_core: Core) -> None:
    """The second of them runs after it, alone, and is given the answer of the first."""
    tasks, runs = any_core.use_cases.import_tasks, list[int]()
    fields = TaskFields(
        source_uri="https://a.example/b", target=Target("tracks", (await any_core.track()).id)
    )
    await tasks.create(WHO, fields)  # takes numbers
    again = [tasks.create(WHO, fields, options=Options(key="k")) for _ in range(2)]
    other = any_core.use_cases.executor.write(lambda _: runs.append(1))
    first, second, _ = await asyncio.gather(*again, other)
    assert first == second
    assert runs == [1]


async def test_claims_and_reports_that_share_a_commit_share_its_statements(
    any_core: Core,
) -> None:
    """However many: rows are locked, and changed, together."""
    seen = statements(any_core.engines.write)
    runs = any_core.use_cases.runs

    async def through(count: int) -> list[int]:
        tasks = [await any_core.task(isrc=f"USRC3{n:07}") for n in range(count)]
        told = []
        for stage, outcome in ((Stage.DOWNLOAD, STORED), (Stage.VALIDATE, ACCEPTED)):
            each = [(task.id, Run(stage, 1, uuid7())) for task in tasks]
            seen.clear()
            answers = await asyncio.gather(*(runs.claim(id_, run) for id_, run in each))
            assert {type(answer) for answer in answers} == {Go}
            told.append(len(seen))
            seen.clear()
            applied = await asyncio.gather(*(runs.report(id_, run, outcome) for id_, run in each))
            assert applied == [True] * count
            told.append(len(seen))
        for task in tasks:
            await any_core.use_cases.import_tasks.delete(WHO, task.id)
        return told

    await through(1)
    assert await through(2) == await through(15)
