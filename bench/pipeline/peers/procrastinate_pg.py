"""Procrastinate over PostgreSQL: ``schema``, ``worker one|two`` or ``client …``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from drive import Submit, main
from procrastinate import App, PsycopgConnector

URL = os.environ["PROCRASTINATE_URL"]
app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(queue="one")
async def one(job: str) -> None:
    """The first stage."""
    await two.defer_async(job=job)


@app.task(queue="two")
async def two(job: str) -> None:
    """The second stage."""
    await app.connector.execute_query_async("SELECT pg_notify('done', %(job)s)", job=job)


async def work(stage: str) -> None:
    """Run one stage."""
    async with app.open_async():
        await app.run_worker_async(queues=[stage], concurrency=20, delete_jobs="successful")


async def make_schema() -> None:
    """Make its tables."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[Submit, AsyncIterator[str]]]:
    """Submit by ``defer``; what is done is notified."""
    listening = await psycopg.AsyncConnection.connect(URL, autocommit=True)
    await listening.execute("LISTEN done")

    async def submit(job: str) -> None:
        await one.defer_async(job=job)

    async def done() -> AsyncIterator[str]:
        async for said in listening.notifies():
            yield said.payload

    async with app.open_async():
        yield submit, done()
    await listening.close()


if __name__ == "__main__":
    if sys.argv[1] == "schema":
        asyncio.run(make_schema())
    elif sys.argv[1] == "worker":
        asyncio.run(work(sys.argv[2]))
    else:
        main(connect)
