"""Replicas hear of each other's commits at once on PostgreSQL; polling is the truth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from services.api import signals
from services.api.db.notifications import CHANNEL, MAX_PAYLOAD_BYTES, listeners
from services.api.domain.errors import StateConflict
from services.api.domain.lifecycle import Stage, Status
from services.api.use_cases import watching
from tests.support.core import a_principal

if TYPE_CHECKING:
    from services.api.db.transactions import Transaction
    from tests.support.core import Core

LIMIT = 20.0
NEVER = 60.0


@pytest.fixture(autouse=True)
def no_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", NEVER)


async def _write(core: Core, *topics: str) -> None:
    def unit(transaction: Transaction) -> None:
        for topic in topics:
            transaction.notify(topic)

    await core.use_cases.executor.write(unit)


async def _notify(core: Core, payload: str) -> None:
    statement = text("SELECT pg_notify(:channel, :payload)")
    async with core.engines.read.connect() as connection:
        await connection.execute(statement, {"channel": CHANNEL, "payload": payload})


async def test_a_watcher_hears_what_another_replica_commits(replicas: list[Core]) -> None:
    here, there, _ = replicas
    task = await here.task()
    watch = there.use_cases.watching.watch(a_principal(), task.id)
    async with asyncio.timeout(LIMIT):
        assert (await anext(watch)).status is Status.PENDING
        await here.claim(task.id, Stage.DOWNLOAD)
        assert (await anext(watch)).status is Status.DOWNLOADING
    await watch.aclose()


async def test_a_stream_of_changes_hears_it_too(replicas: list[Core]) -> None:
    here, there, _ = replicas
    changes = there.use_cases.watching.changes(a_principal(), None)
    first = asyncio.ensure_future(anext(changes))
    with there.signals.subscribe("nothing") as others:
        await others.wait(0)  # the stream has looked once, and waits
    async with asyncio.timeout(LIMIT):
        task = await here.task()
        assert (await first).task_id == task.id
    await changes.aclose()


async def test_all_topics_of_a_shared_commit_are_heard_once_committed(
    replicas: list[Core],
) -> None:
    here, there, _ = replicas

    def refused(transaction: Transaction) -> None:
        transaction.notify("of a refusal")
        raise StateConflict("no")

    with (
        there.signals.subscribe("a") as a,
        there.signals.subscribe("b") as b,
        there.signals.subscribe("of a refusal") as refusal,
    ):
        writes = (_write(here, "a"), here.use_cases.executor.write(refused), _write(here, "b"))
        await asyncio.gather(*writes, return_exceptions=True)
        assert await a.wait(LIMIT)
        assert await b.wait(LIMIT)
        assert not await refusal.wait(0)


async def test_what_a_replica_said_itself_and_hints_to_cancel_are_not_heard(
    replicas: list[Core],
) -> None:
    here, there, _ = replicas
    heard: dict[str, list[str]] = {"here": [], "there": []}
    here.signals.listen(heard["here"].append)
    there.signals.listen(heard["there"].append)
    cancel = signals.cancel_topic(uuid4(), 1)
    await _write(here, "x", cancel)
    with here.signals.subscribe("last") as last:
        await _write(there, "last")
        assert await last.wait(LIMIT)
    assert sorted(heard["here"]) == sorted(["x", cancel, "last"])
    assert heard["there"] == ["x", "last"]


@pytest.mark.parametrize("length", [MAX_PAYLOAD_BYTES - 25, MAX_PAYLOAD_BYTES - 20, 20_000])
@pytest.mark.parametrize("letter", ["x", "é"])
async def test_more_topics_than_a_notification_holds_wake_everyone(
    replicas: list[Core], length: int, letter: str
) -> None:
    here, there, _ = replicas
    topic = letter * (length // len(letter.encode()))
    with there.signals.subscribe(topic) as long:
        await _write(here, topic)
        assert await long.wait(LIMIT)


@pytest.mark.parametrize("payload", ["", "rubbish", "7", "[]", '["b"]', '["b", 1]', '{"a": 1}'])
async def test_words_that_nobody_knows_wake_everyone(replicas: list[Core], payload: str) -> None:
    with replicas[0].signals.subscribe("something") as something:
        await _notify(replicas[1], payload)
        assert await something.wait(LIMIT)


async def test_a_listener_that_was_cut_off_comes_back_and_wakes_everyone(
    replicas: list[Core],
) -> None:
    """F14: what it missed meanwhile is looked for, and the next commit is heard again."""
    here, there, _ = replicas
    task = await here.task()
    watch = there.use_cases.watching.watch(a_principal(), task.id)
    async with asyncio.timeout(LIMIT):
        await anext(watch)
        with there.signals.subscribe("anything") as back:
            assert await _cut_off(here) == 3
            await here.claim(task.id, Stage.DOWNLOAD)  # nobody listens now
            assert (await anext(watch)).status is Status.DOWNLOADING
            while await _listening(here) != 3:
                await back.wait(1)
        with there.signals.subscribe("again") as again:
            await _write(here, "again")
            assert await again.wait(LIMIT)
    await watch.aclose()


async def test_sqlite_has_no_replicas(core: Core) -> None:
    assert listeners(core.engines, core.signals) == []
    with core.signals.subscribe("x") as x:
        await _write(core, "x")
        assert await x.wait(0)


_LISTENERS = "FROM pg_stat_activity WHERE application_name = 'stagedoor-listener' \
AND datname = current_database()"


async def _cut_off(core: Core) -> int:
    return await _count(core, f"SELECT count(pg_terminate_backend(pid)) {_LISTENERS}")


async def _listening(core: Core) -> int:
    return await _count(core, f"SELECT count(*) {_LISTENERS} AND query LIKE 'LISTEN%'")


async def _count(core: Core, statement: str) -> int:
    def query(connection: Any) -> int:
        return int(connection.exec_driver_sql(statement).scalar_one())

    return await core.use_cases.executor.read(query)
