"""PostgreSQL is killed, away, starting or cut off: nothing that was answered is lost or doubled."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import func, make_url, select

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.tables import audit_log, import_tasks
from services.api.domain.errors import Unavailable
from services.api.signals import Signals
from services.api.use_cases.import_tasks import TaskFields
from services.api.use_cases.options import Options
from tests.support.core import Core, a_principal, migrate, open_core
from tests.support.postgres import PostgresServer
from tests.support.replicas import open_replicas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from sqlalchemy import Connection

pytestmark = pytest.mark.long
ROUNDS = 6
WRITERS = 6


@pytest.fixture
def mortal() -> Iterator[PostgresServer]:
    """A server of this test's own that keeps what it has committed when it is killed."""
    server = PostgresServer()
    server.settings |= {"fsync": "on", "full_page_writes": "on"}
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def mortal_url(mortal: PostgresServer) -> str:
    return mortal.database(migrate)


async def _create(core: Core, key: str) -> UUID:
    """Make a task as a client does that asks again with its key until it is answered."""
    fields = TaskFields(source_uri=f"https://cdn.example.com/{key}.wav")
    while True:
        with suppress(Unavailable):
            tasks = core.use_cases.import_tasks
            return (await tasks.create(a_principal(), fields, options=Options(key=key))).id
        await asyncio.sleep(0.02)


async def _stored(core: Core) -> dict[str, list[UUID]]:
    """The tasks that there are, by their source."""

    def query(connection: Connection) -> dict[str, list[UUID]]:
        found: dict[str, list[UUID]] = {}
        for row in connection.execute(select(import_tasks.c.id, import_tasks.c.source_uri)):
            found.setdefault(row.source_uri, []).append(row.id)
        return found

    return await core.use_cases.executor.read(query)


async def _audited(core: Core) -> int:
    return await core.use_cases.executor.read(
        lambda c: c.execute(select(func.count()).select_from(audit_log)).scalar_one()
    )


async def test_every_answered_write_survives_a_kill_and_none_is_doubled(
    mortal: PostgresServer, mortal_url: str
) -> None:
    """F13, over two replicas; the pools and the listeners come back by themselves."""
    random, answered = Random(13), dict[str, "UUID"]()
    told, done = asyncio.Event(), asyncio.Event()

    async def writes(core: Core) -> None:
        while not done.is_set():
            key = str(uuid4())
            answered[key] = await _create(core, key)
            told.set()

    async with asyncio.timeout(120), open_replicas(mortal_url, 2) as cores:
        async with asyncio.TaskGroup() as group:
            for core in cores * (WRITERS // 2):
                group.create_task(writes(core))
            for _ in range(ROUNDS):
                before = len(answered)
                await asyncio.sleep(random.uniform(0.02, 0.2))
                mortal.kill()
                await asyncio.to_thread(mortal.start)
                while len(answered) < before + WRITERS:
                    await told.wait()
                    told.clear()
            done.set()
        stored = await _stored(cores[0])
        assert stored == {
            f"https://cdn.example.com/{key}.wav": [id_] for key, id_ in answered.items()
        }
        assert await _audited(cores[0]) == len(answered)
        await _hears(cores[0], cores[1])
        await _hears(cores[1], cores[0])


async def _hears(here: Core, there: Core) -> None:
    """Wait until one replica hears what the other one commits."""
    with there.signals.subscribe("heard") as heard:
        while not await heard.wait(0.2):
            await here.use_cases.executor.write(lambda transaction: transaction.notify("heard"))


async def test_a_server_that_is_away_or_starting_is_unavailable(
    mortal: PostgresServer, mortal_url: str
) -> None:
    """Every moment of a start is tried: the server refuses by words of its own before it is up."""
    refusals: list[str] = []
    async with open_core(mortal_url) as core:
        await _create(core, "first")
        for _ in range(2):
            mortal.kill()
            starting = asyncio.create_task(asyncio.to_thread(mortal.start))
            while not starting.done():
                engines = open_engines(mortal_url)
                executor = Executor(engines, Signals().notify)
                try:
                    await executor.read(lambda c: c.execute(select(1)))
                except Unavailable as refusal:
                    refusals.append(str(refusal.__cause__))
                await executor.close()
                await asyncio.sleep(0.002)
            await starting
        assert await core.use_cases.ready()
    assert any("starting up" in words or "recovery" in words for words in refusals), refusals


async def test_a_server_without_room_for_more_is_unavailable(mortal: PostgresServer) -> None:
    mortal.stop()
    mortal.settings |= {"max_connections": "5", "superuser_reserved_connections": "0"}
    await asyncio.to_thread(mortal.start)
    engines = [open_engines(mortal.url("postgres")) for _ in range(2)]
    executors = [Executor(each, Signals().notify) for each in engines]
    reads = [
        executor.read(lambda c: c.exec_driver_sql("SELECT pg_sleep(0.3)").first())
        for executor in executors
        for _ in range(8)
    ]
    answers = await asyncio.gather(*reads, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert {type(each) for each in refused} == {Unavailable}
    await asyncio.gather(*(executor.close() for executor in executors))


class _Cutter:
    """Between a client and PostgreSQL: does one COMMIT and hangs up instead of saying so.

    ``armed`` chooses the next one, ``cuts`` counts them. While it is ``silent`` nobody is answered.
    """

    def __init__(self, socket: str) -> None:
        self.armed = False
        self.silent = False
        self.cuts = 0
        self._socket = socket

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._socket)
        ways = (self._ask(reader, server_writer), self._answer(server_reader, writer))
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.transport.abort()
        server_writer.close()

    async def _ask(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while said := await reader.read(65536):
            server.write(said)

    async def _answer(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while said := await server.read(65536):
            if self.armed and b"COMMIT" in said:
                self.armed = False
                self.cuts += 1
                return
            if not self.silent:
                writer.write(said)


@asynccontextmanager
async def _cutting(url: str) -> AsyncIterator[tuple[_Cutter, str]]:
    cutter = _Cutter(f"{make_url(url).query['host']}/.s.PGSQL.5432")
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    through = make_url(url).set(host="127.0.0.1", port=port).update_query_dict({"ssl": "disable"})
    async with server:
        yield (
            cutter,
            through.difference_update_query(["host"]).render_as_string(hide_password=False),
        )


async def test_a_commit_whose_answer_is_lost_is_unavailable_and_the_key_finds_its_task(
    migrated: str,
) -> None:
    key, other, source = "once", "https://cdn.example.com/other", "https://cdn.example.com/master"
    fields = TaskFields(source_uri=source)
    async with _cutting(migrated) as (cutter, url), open_core(url) as core:
        tasks = core.use_cases.import_tasks
        # The first one of all fetches a block of numbers, in a commit of its own.
        before = await tasks.create(a_principal(), TaskFields(source_uri=other))
        cutter.armed = True
        with pytest.raises(Unavailable):
            await tasks.create(a_principal(), fields, options=Options(key=key))
        assert cutter.cuts == 1
        stored = await _stored(core)
        assert len(stored[source]) == 1  # it did commit
        again = await tasks.create(a_principal(), fields, options=Options(key=key))
        assert await _stored(core) == stored == {other: [before.id], source: [again.id]}


async def test_a_server_that_falls_silent_is_given_up(migrated: str) -> None:
    async with _cutting(migrated) as (cutter, url):
        engines = open_engines(url, answer_seconds=0.5)
        executor = Executor(engines, Signals().notify)
        await executor.read(lambda c: c.execute(select(1)))
        await executor.write(lambda transaction: transaction.now())
        cutter.silent = True
        async with asyncio.timeout(20):
            with pytest.raises(Unavailable):
                await executor.write(lambda transaction: transaction.now())
            with pytest.raises(Unavailable):
                await executor.read(lambda c: c.execute(select(1)))
            cutter.silent = False
            await executor.write(lambda transaction: transaction.now())
            await executor.read(lambda c: c.execute(select(1)))
        await executor.close()
