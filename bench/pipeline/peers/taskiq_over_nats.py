"""taskiq over JetStream: ``client …``, or the brokers of its own command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from drive import Submit, main
from taskiq_nats import PullBasedJetStreamBroker

URL = os.environ["NATS_URL"]


def broker_of(stage: str) -> PullBasedJetStreamBroker:
    """The broker of one stage."""
    return PullBasedJetStreamBroker(
        [URL], stream_name=f"STAGE_{stage}", subject=f"taskiq.{stage}", durable=f"stage-{stage}"
    )


first, second = broker_of("one"), broker_of("two")
starting = asyncio.Lock()
told: list[nats.NATS] = []


@first.task(task_name="one")
async def one(job: str) -> None:
    """The first stage."""
    async with starting:  # jobs come side by side
        if not second.client.is_connected:
            await second.startup()
    await two.kiq(job)


@second.task(task_name="two")
async def two(job: str) -> None:
    """The second stage."""
    if not told:
        told.append(await nats.connect(URL))
    await told[0].publish("done", job.encode())


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[Submit, AsyncIterator[str]]]:
    """Submit by ``kiq``; what is done comes on a subject."""
    await first.startup()
    listening = await nats.connect(URL)
    heard = await listening.subscribe("done")
    await listening.flush()

    async def submit(job: str) -> None:
        await one.kiq(job)

    async def done() -> AsyncIterator[str]:
        async for message in heard.messages:
            yield message.data.decode()

    yield submit, done()
    await first.shutdown()
    await listening.close()


if __name__ == "__main__" and sys.argv[1] == "client":
    main(connect)
