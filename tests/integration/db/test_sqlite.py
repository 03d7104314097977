"""One writer, and what may happen to it: locked out, cancelled, killed, a full disk, a twin."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import threading
from contextlib import closing, contextmanager, suppress
from random import Random
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError

from services.api.db import engine
from services.api.db.alone import alone
from services.api.db.executor import MAX_BATCH
from services.api.domain.errors import Unavailable
from tests.support.core import open_core
from tests.support.letters import count, letter, written
from tests.support.tmpfs import small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from services.api.db.transactions import Transaction
    from tests.support.core import Core

KILLS = 3


def _path(url: str) -> str:
    path = make_url(url).database
    assert path is not None
    return path


def _assert_sound(path: str | Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@contextmanager
def _writing(path: str) -> Iterator[Callable[[], None]]:
    """Somebody else's transaction that holds the write lock; gives how to end it."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        yield lambda: connection.rollback() if connection.in_transaction else None


def _tries(core: Core) -> list[object]:
    """Grows with each transaction that is begun, or waited for in vain."""
    tries: list[object] = []
    event.listen(core.engines.write.sync_engine, "checkout", lambda *seen: tries.append(seen))
    return tries


@pytest.mark.parametrize("kind", ["write", "read"])
async def test_every_connection_is_set_up(core: Core, kind: str) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    async with getattr(core.engines, kind).connect() as connection:
        found = [(await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in names]
    assert found == ["wal", 2, 1, engine.BUSY_SECONDS * 1000]


async def test_writes_wait_for_another_process_that_writes(core: Core, sqlite_url: str) -> None:
    """F15, three seconds."""
    executor = core.use_cases.executor
    with _writing(_path(sqlite_url)) as end:
        timer = threading.Timer(3, end)
        timer.start()
        writes = [executor.write(letter(n)) for n in range(10)]
        assert await count(executor) == (0, 0)  # who reads does not wait
        assert await asyncio.gather(*writes) == list(range(10))
        timer.join()
    assert await count(executor) == (10, 10)


async def test_another_process_that_never_ends_makes_writes_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F15, longer than the busy timeout, which is made short here."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.5)
    async with open_core(sqlite_url) as core:
        executor, tries = core.use_cases.executor, _tries(core)
        with _writing(_path(sqlite_url)):
            writes = (executor.write(letter(n)) for n in range(10))
            results = await asyncio.gather(*writes, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            assert await count(executor) == (0, 0)
        assert len(tries) == 1  # all together
        await executor.write(letter(1))
        assert await count(executor) == (1, 1)


async def test_when_a_batch_breaks_and_the_lock_is_gone_all_are_refused_at_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds of waiting for each of a hundred would be a quarter of an hour."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.5)
    async with open_core(sqlite_url) as core:
        executor, tries = core.use_cases.executor, _tries(core)
        with closing(sqlite3.connect(_path(sqlite_url), isolation_level=None)) as other:

            def breaks(transaction: Transaction) -> None:
                transaction.connection.exec_driver_sql("ROLLBACK")
                other.execute("BEGIN IMMEDIATE")
                transaction.connection.exec_driver_sql("SELECT 1 FROM nothing")

            await executor.write(letter(0))
            writes = (executor.write(letter(n)) for n in range(1, 10))
            results = await asyncio.gather(executor.write(breaks), *writes, return_exceptions=True)
            assert {type(result) for result in results} == {Unavailable}
            other.execute("ROLLBACK")
        assert len(tries) == 3  # the first, the others together, and one of them alone
        assert await count(executor) == (1, 1)


async def test_two_hundred_cancelled_writes_are_whole_or_not_at_all(core: Core) -> None:
    """F18: at every depth, so that the cancellation hits before, within and after the commit."""
    executor, random = core.use_cases.executor, Random(18)
    answered: set[int] = set()

    async def pair(n: int) -> None:
        def unit(transaction: Transaction) -> None:
            letter(2 * n)(transaction)
            letter(2 * n + 1)(transaction)

        await executor.write(unit)
        answered.add(n)

    for n in range(200):
        task = asyncio.create_task(pair(n))
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        if random.random() < 0.5:
            await asyncio.sleep(random.uniform(0, 0.01))
        if n % 10:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    async with asyncio.timeout(20):
        await executor.write(letter(1000))
    found = await written(executor) - {1000}
    assert {n ^ 1 for n in found} == found
    assert {2 * n for n in answered} <= found
    assert 0 < len(answered) < 200
    assert await count(executor) == (len(found) + 1, len(found) + 1)


async def test_a_full_disk_refuses_and_heals(sqlite_template: Path, tmp_path: Path) -> None:
    """F16: who did not fit is refused and leaves nothing; with room all go through."""
    with small_disk(tmp_path / "disk", 12 << 20) as disk:
        (disk.root / "ballast").write_bytes(bytes(4 << 20))  # the room to come
        path = shutil.copy(sqlite_template, disk.root / "stagedoor.db")

        def heavy(n: int) -> Callable[[Transaction], int]:
            def unit(transaction: Transaction) -> int:
                row = {"n": f"{n:032x}", "payload": os.urandom(100_000)}
                transaction.connection.execute(_HEAVY, row)
                transaction.count("t", "letters", "", 1)
                return n

            return unit

        async with open_core(f"sqlite+aiosqlite:///{path}") as core:
            executor = core.use_cases.executor
            writes = (executor.write(heavy(n)) for n in range(MAX_BATCH))
            results = await asyncio.gather(*writes, return_exceptions=True)
            done = {n for n, result in enumerate(results) if result == n}
            assert {type(result) for result in results} == {int, Unavailable}
            assert await written(executor) == done  # of one broken batch, who fits alone
            disk.fill()
            with pytest.raises(Unavailable):
                await executor.write(heavy(500))
            assert await written(executor) == done
            disk.make_room()
            _assert_sound(path)
            await executor.write(letter(600))
            assert await count(executor) == (len(done) + 1, len(done) + 1)
        _assert_sound(path)


_HEAVY = text(
    "INSERT INTO dead_letters (id, subject, payload, reason, created_at)"
    " VALUES (:n, 's', :payload, 'r', '2026-01-01 00:00:00.000000')"
)

_WRITER = """
import asyncio, sys
from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from tests.support.letters import letter

async def main(url, first):
    executor = Executor(open_engines(url), lambda topic: None)
    async def writes(start):
        for n in range(start, 2 ** 62, 8):
            print(await executor.write(letter(n)), flush=True)
    await asyncio.gather(*(writes(first + k) for k in range(8)))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_a_killed_writer_loses_nothing_that_it_answered(sqlite_url: str) -> None:
    """F17: what was printed had been committed."""
    random, answered, last = Random(17), set[int](), 0
    for _ in range(KILLS):
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _WRITER, sqlite_url, str(last + 1)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert writer.stdout is not None
        said = [await writer.stdout.readline() for _ in range(random.randrange(1, 200))]
        writer.send_signal(signal.SIGKILL)
        said += (await writer.stdout.read()).splitlines(keepends=True)
        await writer.wait()
        answered |= {int(line) for line in said if line.endswith(b"\n")}
        last = max(answered) + 1000
    _assert_sound(_path(sqlite_url))
    async with open_core(sqlite_url) as core:
        assert await written(core.use_cases.executor) >= answered
        rows, kept = await count(core.use_cases.executor)
        assert rows == kept
    assert len(answered) > KILLS


async def test_a_connection_that_fails_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    engines = engine.open_engines(f"sqlite+aiosqlite:///{tmp_path}/none/none.db")
    for _ in range(20):  # one may end in time by chance
        with pytest.raises(DBAPIError):
            await engines.read.connect()
        left = {each.name for each in set(threading.enumerate()) - before}
        assert not {name for name in left if "_connection_worker_thread" in name}
    await engines.dispose()


async def test_a_second_api_is_kept_from_the_file(sqlite_url: str) -> None:
    with (
        alone(sqlite_url),
        pytest.raises(RuntimeError, match=r"another API has .*stagedoor\.db open"),
        alone(sqlite_url),
    ):
        pass
    with alone(sqlite_url):
        pass  # the first has gone


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "postgresql+asyncpg://u@h/stagedoor"])
def test_what_is_not_a_file_is_for_all(url: str) -> None:
    with alone(url), alone(url):
        pass
