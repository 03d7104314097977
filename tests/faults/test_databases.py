"""Whatever happens to the database, what was answered holds, and all goes on when it is back."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import grpc
import pytest
from sqlalchemy import make_url, text

from services.api.db.engine import BUSY_SECONDS
from stagedoor.v1.import_task_service_pb2 import ListImportTasksRequest
from stagedoor.v1.import_task_service_pb2_grpc import ImportTaskServiceStub
from tests.support import replies
from tests.support.faults import large, rows, small

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Iterator
    from uuid import UUID

    from tests.support.faults import Client, Process, System

KILLS_OF_POSTGRES = 4
LISTENERS = "stagedoor-listener"
EVERYBODY = "stagedoor%"
END_SESSIONS = text(
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND application_name LIKE :whose"
)
COUNT_SESSIONS = text("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE :whose")
MOST_AT_ONCE = 8
LONG = (pytest.mark.long, pytest.mark.timeout(600))


@dataclass(slots=True)
class Load:
    """Clients that ask for imports, one after the other, until they are ``done``.

    Their masters are not there, so that it is the database that has the work, and not a validator.
    """

    system: System
    client: Client
    done: bool = False

    async def run(self) -> None:
        """Ask for imports."""
        while not self.done:
            await self.client.create(self.system.serve("/gone.mp4", replies.answer(404)))

    async def answered(self, more: int) -> None:
        """Wait until so many more creates were answered. Raises TimeoutError."""
        wanted = len(self.client.ledger.tasks) + more
        async with asyncio.timeout(30):
            while len(self.client.ledger.tasks) < wanted:  # noqa: ASYNC110 - a ledger tells nobody
                await asyncio.sleep(0.01)


@asynccontextmanager
async def under_load(system: System, client: Client, clients: int = 2) -> AsyncIterator[Load]:
    """Some clients that are never idle; at the end each is let finish what it asks for."""
    load = Load(system, client)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(load.run())
        try:
            await load.answered(clients)
            yield load
        finally:
            load.done = True


@asynccontextmanager
async def asking(system: System, client: Client) -> AsyncIterator[None]:
    """Ask for imports, all at once, while something else happens; all are answered then."""
    url = system.serve("/gone.mp4", replies.answer(404))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(MOST_AT_ONCE):
            group.create_task(client.create(url))
        yield


async def says(system: System, api: Process, path: str) -> tuple[int, str]:
    """What a replica answers to one request that nobody repeats: its status, and its document."""
    headers = {"Authorization": f"Bearer {system.token}", "Accept": "application/vnd.api+json"}
    limit = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=limit) as http,
        http.get(api.answer["http"] + path) as answer,
    ):
        return answer.status, await answer.text()


async def says_by_grpc(system: System, api: Process) -> grpc.StatusCode:
    """How a replica answers when it is asked for a list by gRPC."""
    metadata = (("authorization", f"Bearer {system.token}"),)
    async with grpc.aio.insecure_channel(api.answer["grpc"]) as channel:
        call = ImportTaskServiceStub(channel).ListImportTasks(
            ListImportTasksRequest(), metadata=metadata, timeout=20
        )
        return await call.code()


async def assert_unavailable(system: System, api: Process) -> None:
    """Nothing but "try again", at every door."""
    for path in ("/api/v1/atmos-import-tasks", "/readyz"):
        status, document = await says(system, api, path)
        assert status == HTTPStatus.SERVICE_UNAVAILABLE, document
    assert await says_by_grpc(system, api) is grpc.StatusCode.UNAVAILABLE


async def all_ready(client: Client, within: float = 20.0) -> None:
    """Wait until every replica says that it is ready."""
    async with asyncio.timeout(within):
        while {status for status, _ in await client.readiness()} != {HTTPStatus.OK}:  # noqa: ASYNC110 - a probe asks
            await asyncio.sleep(0.05)


async def test_f13_postgres_killed_under_load(fleet: System, rng: random.Random) -> None:
    """In a fleet only: a laptop has SQLite, whose process is the API (F01, F17)."""
    server = fleet.postgres
    assert server is not None
    async with fleet.client() as client:
        id_ = await client.bring("/f13-under-load.mp4", small())
        async with under_load(fleet, client) as load:
            for _ in range(KILLS_OF_POSTGRES):
                await asyncio.sleep(rng.uniform(0, 0.3))
                server.kill()
                await asyncio.sleep(rng.uniform(0, 0.3))
                server.start()
                await load.answered(4)
        fleet.end_fault()
        await client.all_final()
        await client.all_completed(id_)
        await all_ready(client)
    await fleet.check()


async def test_f13_while_postgres_is_away_the_answer_is_try_again(
    fleet: System, rng: random.Random
) -> None:
    """In a fleet only, as above. What runs goes on: the download is not begun again."""
    server = fleet.postgres
    assert server is not None
    body = large(4)
    async with fleet.client() as client:
        id_ = await client.bring("/f13.wav", body, bytes_per_second=len(body) // 3)
        await client.until_fetched(id_, rng.uniform(0.1, 0.4) * len(body))
        server.kill()
        for api in fleet.apis:
            await assert_unavailable(fleet, api)
        server.start()
        fleet.end_fault()
        await client.all_completed(id_)
        await all_ready(client)
        for api in fleet.apis:
            assert api.is_running
            await api.logged("listener_away")
            await hears_again(api)
    assert fleet.origin.served["/f13.wav"] <= 2 * len(body)
    await fleet.check(orphans=1)


async def hears_again(api: Process, within: float = 10.0) -> None:
    """Wait until a replica listens, after it was seen to have lost its connection."""
    async with asyncio.timeout(within):
        while api.log().rfind("listener_ready") < api.log().rfind("listener_away"):  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0.05)


async def end_sessions(system: System, whose: str) -> int:
    """End the sessions of PostgreSQL by the name that they gave; gives how many."""
    return int(await rows.scalar(system.database_url, END_SESSIONS.bindparams(whose=whose)))


async def sessions(system: System, whose: str) -> int:
    """How many there are."""
    return int(await rows.scalar(system.database_url, COUNT_SESSIONS.bindparams(whose=whose)))


async def test_f14_listeners_ended_come_back(fleet: System) -> None:
    """In a fleet only: SQLite has no sessions. Within moments, and not at the next probe."""
    async with fleet.client() as client:
        assert await end_sessions(fleet, LISTENERS) == len(fleet.apis)
        async with asyncio.timeout(8):
            while await sessions(fleet, LISTENERS) < len(fleet.apis):  # noqa: ASYNC110 - a server that is asked
                await asyncio.sleep(0.05)
        id_ = await client.bring("/f14-heard.mp4", small())
        fleet.end_fault()
        await client.all_completed(id_)
    await fleet.check()


async def test_f14_without_any_listener_there_is_the_poll(fleet: System) -> None:
    """In a fleet only, as above. Nobody hears of another's commit for the whole time."""

    async def keep_ending() -> None:
        while True:
            await end_sessions(fleet, LISTENERS)
            await asyncio.sleep(0.02)

    async with fleet.client() as client:
        ending = asyncio.create_task(keep_ending())
        ids = [await client.bring(f"/f14-deaf-{number}.mp4", small()) for number in range(3)]
        await client.all_completed(*ids)
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending
        assert client.repeats == 0
        fleet.end_fault()
    await fleet.check()


async def test_f14_idle_sessions_ended_cost_no_request(fleet: System) -> None:
    """In a fleet only, as above. A session that is dead is found out before it is used."""
    ids: list[UUID] = []
    async with fleet.client() as client:
        for round_ in range(3):
            assert await end_sessions(fleet, EVERYBODY) > len(fleet.apis)
            ids += await asyncio.gather(
                *(client.bring(f"/f14-{round_}-{n}.mp4", small()) for n in range(3))
            )
            assert client.repeats == 0, "a client was told to try again"
        fleet.end_fault()
        await client.all_completed(*ids)
    await fleet.check()


async def test_f14_all_sessions_ended_again_and_again_under_load(
    fleet: System, rng: random.Random
) -> None:
    """In a fleet only, as above."""
    async with fleet.client() as client:
        id_ = await client.bring("/f14-under-load.mp4", small())
        async with under_load(fleet, client) as load:
            for _ in range(12):
                await asyncio.sleep(rng.uniform(0, 0.2))
                await end_sessions(fleet, EVERYBODY)
            await load.answered(4)
        fleet.end_fault()
        await client.all_final()
        await client.all_completed(id_)
        await all_ready(client)
    await fleet.check()


def path_of(system: System) -> Path:
    """The file of a laptop's database."""
    return Path(make_url(system.database_url).database or "")


@contextmanager
def locked(system: System) -> Iterator[None]:
    """Keep the write lock of SQLite, as another program would that has begun to write."""
    with closing(sqlite3.connect(path_of(system), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()


async def test_f15_sqlite_locked_for_three_seconds_is_waiting(
    laptop: System, rng: random.Random
) -> None:
    """On a laptop only: PostgreSQL has no lock of all writers. Who reads does not wait at all."""
    body = large(4)
    async with laptop.client() as client:
        id_ = await client.bring("/f15.wav", body, bytes_per_second=len(body) // 4)
        await client.until_fetched(id_, rng.uniform(0.1, 0.3) * len(body))
        async with asking(laptop, client):
            with locked(laptop):
                async with asyncio.timeout(3):
                    assert await client.status(id_) == "downloading"
                await asyncio.sleep(3)
        assert client.repeats == 0, "a client was told to try again"
        laptop.end_fault()
        await client.all_final()
        await client.all_completed(id_)
    await laptop.check()


async def test_f15_sqlite_locked_for_too_long_is_try_again(laptop: System) -> None:
    """On a laptop only, as above. A 500, or a task that is half made, would end this test."""
    async with laptop.client() as client:
        before = await all_ids(laptop)
        async with asking(laptop, client):
            with locked(laptop):
                async with asyncio.timeout(BUSY_SECONDS + 20):
                    while not client.repeats:  # noqa: ASYNC110 - a client tells nobody
                        await asyncio.sleep(0.05)
                assert await all_ids(laptop) == before
                assert (await says(laptop, laptop.apis[0], "/readyz"))[0] == HTTPStatus.OK
        laptop.end_fault()
        await client.all_final()
    await laptop.check()


async def all_ids(system: System) -> set[UUID]:
    """The ids of all tasks that there are."""
    return {row["id"] for row in (await rows.read(system.database_url))["import_tasks"]}


def assert_sound(path: Path, copy: Path) -> None:
    """SQLite finds nothing wrong with a file and its log; in a copy, so that neither is mended."""
    for end in ("", "-wal"):
        with suppress(FileNotFoundError):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=LONG)])
async def test_f17_the_api_killed_again_and_again_while_sqlite_writes(
    kills: int, laptop: System, rng: random.Random, tmp_path: Path
) -> None:
    """On a laptop only: PostgreSQL writes in a process of its own, which F13 kills."""
    (api,) = laptop.apis
    async with laptop.client() as client:
        id_ = await client.bring(f"/f17-{kills}.mp4", small())
        async with under_load(laptop, client) as load:
            for _ in range(kills):
                await load.answered(1)
                await asyncio.sleep(rng.uniform(0, 0.05))
                api.kill()
                assert_sound(path_of(laptop), tmp_path / "copy.db")
                await api.start()
        laptop.end_fault()
        await client.all_final()
        await client.all_completed(id_)
    await laptop.check()
