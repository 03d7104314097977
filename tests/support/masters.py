"""Tasks and records whose bytes really are in a store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Stage
from services.api.domain.runs import Accepted, Stored
from services.api.domain.task import Master
from tests.support.core import FORMAT, a_principal

if TYPE_CHECKING:
    from services.api.domain.principal import Principal
    from services.api.domain.task import Task
    from shared.blobs.base import BlobStore
    from tests.support.core import Core


async def stored(
    core: Core, store: BlobStore, body: bytes, isrc: str, who: Principal | None = None
) -> Task:
    """A task whose bytes are downloaded."""
    task = await core.task(isrc, who)
    return await fetch(core, store, task, body)


async def fetch(core: Core, store: BlobStore, task: Task, body: bytes) -> Task:
    """Take a pending task through its download."""
    run = await core.claim(task.id, Stage.DOWNLOAD, task.generation)
    key = f"{task.tenant}/{task.id}/{task.generation}/{run.id}"
    with store.create(key) as sink:
        sink.write(body)
        sink.commit()
    master = Master(blob_key=key, size_bytes=len(body), md5=hashlib.md5(body).hexdigest())
    assert await core.use_cases.runs.report(task.id, run, Stored(master=master))
    return await core.use_cases.import_tasks.get(a_principal(task.tenant), task.id)


async def accept(core: Core, task: Task) -> Task:
    """Take it through its validation."""
    assert task.master is not None
    run = await core.claim(task.id, Stage.VALIDATE, task.generation)
    master = task.master
    accepted = Accepted(md5=master.md5, size_bytes=master.size_bytes, format=FORMAT)
    assert await core.use_cases.runs.report(task.id, run, accepted)
    return await core.use_cases.import_tasks.get(a_principal(task.tenant), task.id)


async def completed(
    core: Core, store: BlobStore, body: bytes, isrc: str, who: Principal | None = None
) -> Task:
    """A task with a valid record of these bytes."""
    return await accept(core, await stored(core, store, body, isrc, who))


def key_of(task: Task) -> str:
    """Where its bytes are."""
    assert task.master is not None
    return task.master.blob_key
