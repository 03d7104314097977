"""Runs of downloads that a test claims and ends itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.domain.lifecycle import Stage
from services.api.domain.outcomes import Run, Stored
from services.api.domain.task import Master
from tests.support.core import MD5, Core, a_principal

if TYPE_CHECKING:
    from services.api.domain.outcomes import Decision
    from services.api.domain.task import Task


def isrc(number: int) -> str:
    return f"USRC1{number:07}"


async def claim(core: Core, task: Task, stage: Stage = Stage.DOWNLOAD) -> Decision:
    return await core.use_cases.runs.claim(task.id, Run(stage, task.generation, uuid7()))


async def store(core: Core, task: Task, run: Run, size: int) -> bool:
    key = f"{task.tenant}/{task.id}/{task.generation}/{run.id}"
    master = Master(blob_key=key, size_bytes=size, md5=MD5)
    return await core.use_cases.runs.report(task.id, run, Stored(master=master))


async def now(core: Core, task: Task) -> Task:
    return await core.use_cases.import_tasks.get(a_principal(task.tenant), task.id)
