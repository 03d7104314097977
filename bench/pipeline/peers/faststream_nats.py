"""FastStream over JetStream, with pull consumers: ``worker one|two`` or ``client …``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import nats.js.errors
from drive import Submit, main
from faststream import FastStream
from faststream.nats import JStream, NatsBroker, PullSub

broker = NatsBroker(os.environ["NATS_URL"], log_level=40)
stream = JStream("JOBS", subjects=["jobs.*"])


def worker(stage: str) -> None:
    """Run one stage."""
    following = {"one": "jobs.two", "two": "done"}[stage]
    subject, pull = f"jobs.{stage}", PullSub(batch_size=1)

    @broker.subscriber(subject, stream=stream, durable=f"stage-{stage}", pull_sub=pull)
    async def handle(job: str) -> None:
        await broker.publish(job, following, stream=None if following == "done" else "JOBS")

    asyncio.run(FastStream(broker).run())


async def _until_there(*stages: str) -> None:
    """Wait for the workers, which make the stream and their consumers."""
    async with await nats.connect(os.environ["NATS_URL"]) as client:
        for stage in stages:
            while True:
                try:
                    await client.jetstream().consumer_info("JOBS", f"stage-{stage}")
                    break
                except nats.js.errors.APIError:
                    await asyncio.sleep(0.1)


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[Submit, AsyncIterator[str]]]:
    """Submit by ``publish``, with an acknowledgement; what is done comes on a subject."""
    finished: asyncio.Queue[str] = asyncio.Queue()

    @broker.subscriber("done")
    async def heard(job: str) -> None:
        finished.put_nowait(job)

    await _until_there("one", "two")
    await broker.start()

    async def submit(job: str) -> None:
        await broker.publish(job, "jobs.one", stream="JOBS")

    async def done() -> AsyncIterator[str]:
        while True:
            yield await finished.get()

    yield submit, done()
    await broker.stop()


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker(sys.argv[2])
    else:
        main(connect)
