"""Tasks that stay in a status until a test is done with them."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from services.api.domain.lifecycle import Status
from tests.support import replies
from tests.support.faults.masters import large, small
from tests.support.faults.process import first_with_a_child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from tests.support.faults.client import Client
    from tests.support.faults.process import Process
    from tests.support.faults.system import System

_SLOW_BYTES_PER_SECOND = 200_000
_NO_MASTER = b"The quick brown fox jumps over the lazy dog.\n" * 40


@asynccontextmanager
async def held(
    system: System, client: Client, status: Status, name: str, isrc: str = ""
) -> AsyncIterator[UUID]:
    """A task of its own that is in this status; what holds it there is let go at the end."""
    bring = partial(client.bring, isrc=isrc)
    path = f"/{name}-{status}"
    match status:
        case Status.PENDING:
            async with frozen(system.downloaders):
                yield await bring(path, small())
        case Status.DOWNLOADING:
            id_ = await bring(path, large(4), bytes_per_second=_SLOW_BYTES_PER_SECOND)
            await client.until_fetched(id_, 1)
            yield id_
        case Status.DOWNLOADED:
            async with frozen(system.validators):
                yield await until(client, await bring(path, small()), status)
        case Status.VALIDATING:
            id_ = await bring(path, large(8))
            async with _inspecting(system):
                yield id_
        case Status.COMPLETED:
            yield await until(client, await bring(path, small()), status)
        case Status.DOWNLOAD_FAILED:
            id_ = await client.create(system.serve(path, replies.answer(404)), isrc)
            yield await until(client, id_, status)
        case Status.VALIDATION_FAILED:
            yield await until(client, await bring(path, _NO_MASTER), status)


@asynccontextmanager
async def frozen(processes: Sequence[Process]) -> AsyncIterator[None]:
    """All of them stand still meanwhile."""
    for each in processes:
        each.stop()
    try:
        yield
    finally:
        for each in processes:
            each.cont()


@asynccontextmanager
async def _inspecting(system: System) -> AsyncIterator[None]:
    """The inspection that is under way stands still; its validator goes on."""
    (child,) = (await first_with_a_child(system.validators)).children()
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # it was killed: what it inspected is void
            os.kill(child, signal.SIGCONT)


async def until(client: Client, id_: UUID, status: Status) -> UUID:
    """Wait until a task has a status, and no other one that is final; gives its id."""
    found = await client.until(id_, status)
    assert found["attributes"]["status"] == status, found
    return id_
