"""Celery over Redis, acknowledged late: ``client …``, or the application of its own command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis
from celery import Celery
from drive import Submit, main

URL = os.environ["REDIS_URL"]
app = Celery("celery_redis", broker=URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_routes={"one": {"queue": "one"}, "two": {"queue": "two"}},
    worker_prefetch_multiplier=4,
)
store = redis.Redis.from_url(URL)


@app.task(name="one")
def one(job: str) -> None:
    """The first stage."""
    two.delay(job)


@app.task(name="two")
def two(job: str) -> None:
    """The second stage."""
    store.rpush("done", job)


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[Submit, AsyncIterator[str]]]:
    """Submit by ``delay``; what is done is in a list."""
    listening = redis.asyncio.Redis.from_url(URL)

    async def submit(job: str) -> None:
        await asyncio.to_thread(one.delay, job)

    async def done() -> AsyncIterator[str]:
        while True:
            _, job = await listening.blpop("done")
            yield job.decode()

    yield submit, done()
    await listening.aclose()


if __name__ == "__main__" and sys.argv[1] == "client":
    import redis.asyncio

    main(connect)
