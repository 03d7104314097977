"""Brings import tasks to a running API, and hears of those that are completed.

The arguments are those of the peers' programs (see ``peers/drive.py``), after the URL, the token
and the track; tasks are created over HTTP, so many at a time as ``WINDOW``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.bus import streams
from stagedoor.events.v1.import_task_event_pb2 import ImportTaskEvent

sys.path.insert(0, str(Path(__file__).with_name("peers")))

from drive import main

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drive import Submit

WINDOW = 32
MEDIA_TYPE = "application/vnd.api+json"
DONE = "stagedoor.events.default.import_task.completed"


@asynccontextmanager
async def connect() -> AsyncIterator[tuple[Submit, AsyncIterator[str]]]:
    """Submit by POST, each job with an ISRC of its own; what is done comes as an event."""
    names: dict[str, str] = {}
    numbers = count()
    begun = asyncio.Semaphore(WINDOW)
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Content-Type": MEDIA_TYPE}
    session = aiohttp.ClientSession(os.environ["API"], headers=headers)
    listening = await nats.connect(os.environ["NATS_URL"], inbox_prefix=b"_INBOX.api")
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.NEW)
    heard = await listening.jetstream().subscribe(DONE, stream=streams.EVENTS, config=config)

    async def post(job: str, number: int) -> None:
        attributes = {
            "url": f"https://cdn.example.com/{job}.wav",
            "secondaryIsrc": f"{os.environ['PREFIX']}{number:07}",
        }
        track = {"data": {"type": "tracks", "id": os.environ["TRACK"]}}
        data = {"type": "atmos-import-tasks", "attributes": attributes}
        body = {"data": data | {"relationships": {"track": track}}}
        async with session.post("/api/v1/atmos-import-tasks", json=body) as answer:
            made = await answer.json(content_type=None)
            if answer.status != 201:  # noqa: PLR2004 - Created
                raise RuntimeError(made)
            names[made["data"]["id"]] = job
        begun.release()

    async def submit(job: str) -> None:
        await begun.acquire()
        # Who fails ends all of it.
        posting.create_task(post(job, next(numbers)))

    async def done() -> AsyncIterator[str]:
        async for message in heard.messages:
            event = ImportTaskEvent.FromString(message.data)
            if not event.import_task.isrc.startswith(os.environ["PREFIX"]):
                continue  # somebody else's
            id_ = event.import_task.name.rpartition("/")[2]
            while id_ not in names:  # noqa: ASYNC110 - its answer is on its way
                await asyncio.sleep(0)
            yield names[id_]

    async with asyncio.TaskGroup() as posting:
        yield submit, done()
    await session.close()
    await listening.close()


if __name__ == "__main__":
    main(connect)
