"""A migration runs under an API of before it, and nobody notices."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from services.api.db import schema
from services.api.db.engine import open_engines
from services.api.db.migrations import upgrade
from tests.support.core import migrate
from tests.support.revisions import CONTRACTS, EXPANDS, future_scripts
from tests.support.stack import Client, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.stack import Stack

pytestmark = pytest.mark.long

RETRYABLE = 503
NO_WORKERS = ("--downloaders", "0", "--validators", "0")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a stack's database will be."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'stagedoor.db'}"
    url: str = request.getfixturevalue("postgres_server").database(migrate)
    return url


@contextmanager
def _running(url: str, folder: Path) -> Iterator[Stack]:
    with running_stack(folder, {"STAGEDOOR_DATABASE_URL": url}, *NO_WORKERS) as stack:
        yield stack


async def test_creates_go_on_while_the_tables_change(place: str, tmp_path: Path) -> None:
    stop, statuses, marks = asyncio.Event(), list[int](), asyncio.Semaphore(0)
    with _running(place, tmp_path) as stack:
        async with Client(stack.ready) as client:

            async def create(worker: int) -> None:
                number = 0
                while not stop.is_set():
                    number += 1
                    isrc = f"USRC{worker}{number:07d}"
                    url = stack.origin.url("/nothing.wav")
                    status, _ = await client.create(url, isrc)
                    statuses.append(status)
                    marks.release()

            async def some_more() -> None:
                async with asyncio.timeout(60):
                    for _ in range(20):
                        await marks.acquire()

            creating = [asyncio.create_task(create(worker)) for worker in range(4)]
            await some_more()
            await _upgrade(place, tmp_path / "expanding", EXPANDS)
            before = len(statuses)
            await some_more()
            await some_more()
            stop.set()
            await asyncio.gather(*creating)
            assert set(statuses) <= {201, RETRYABLE}
            created = statuses.count(201)
            _, listed = await client.call("GET", "/atmos-import-tasks?page[size]=1")
            assert listed["meta"]["page"]["total"] == created
            assert created > before


async def _upgrade(url: str, folder: Path, *steps: str) -> None:
    scripts = await asyncio.to_thread(future_scripts, folder, *steps)
    engines = open_engines(url)
    try:
        await upgrade(engines, scripts=scripts)
        async with engines.read.connect() as connection:
            assert await connection.run_sync(schema.revision) == f"f{len(steps):03d}"
    finally:
        await engines.dispose()


async def test_an_api_that_is_too_old_says_so_and_ends(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'stagedoor.db'}"
    with _running(url, tmp_path):
        pass
    await _upgrade(url, tmp_path / "contracting", CONTRACTS)
    with pytest.raises(RuntimeError, match="A newer version changed them"), _running(url, tmp_path):
        pass
