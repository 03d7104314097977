"""What workers do, by their own word: which runs they have begun, and how those ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.support.faults.process import POLL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
    from uuid import UUID

    from tests.support.faults.process import Process

VOID = "void"
"""The outcome of a run that learned that it has no claim any more."""


def started(worker: Process, task_id: UUID) -> list[dict[str, Any]]:
    """The runs of a task that a worker has begun, oldest first: each with its ``run``."""
    return list(_of(worker, "run_started", task_id))


def attempts(workers: Sequence[Process], ids: Collection[UUID]) -> set[int]:
    """Which attempts there were, of any stage of these tasks."""
    return {said["attempt"] for each in workers for id_ in ids for said in started(each, id_)}


async def who_runs(workers: Sequence[Process], task_id: UUID, within: float = 30.0) -> Process:
    """Wait until one of them has begun a run of a task and not ended it. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while True:
            for each in workers:
                if len(started(each, task_id)) > len(_ends(each, task_id)):
                    return each
            await asyncio.sleep(POLL_SECONDS)


async def ended(worker: Process, task_id: UUID, within: float = 30.0) -> str:
    """Wait until every run of a task that a worker has begun has ended; gives the last outcome.

    Raises TimeoutError with its log.
    """
    await _until_ended(worker, task_id, within, lambda: len(started(worker, task_id)) or 1)
    return str(_ends(worker, task_id)[-1]["outcome"])


async def first_end(worker: Process, task_id: UUID, within: float = 30.0) -> str:
    """Wait until a worker has ended its first run of a task; gives the outcome. See ``ended``."""
    await _until_ended(worker, task_id, within, lambda: 1)
    return str(_ends(worker, task_id)[0]["outcome"])


async def refused_report(apis: Sequence[Process], run: str, within: float = 30.0) -> None:
    """Wait until an API has read a report of this run and not applied it. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not any(_refuses(api, run) for api in apis):  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(POLL_SECONDS)


async def first_to_stop(workers: Sequence[Process], within: float = 30.0) -> Process:
    """Wait until one of them stands still, as at a failpoint that all have. Raises TimeoutError."""
    waiting = {asyncio.create_task(each.stopped(within)): each for each in workers}
    done, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    first = next(iter(done))
    first.result()
    return waiting[first]


async def stopped_alone(
    workers: Sequence[Process], failpoint: str, bring: Callable[[], Awaitable[UUID]]
) -> tuple[Process, UUID]:
    """Bring a task to where one worker, with nobody beside it, stands still; start the others."""
    zombie, *others = workers
    for other in others:
        other.kill()
    await zombie.restart(f"{failpoint}=stop")
    task_id = await bring()
    await zombie.stopped()
    await asyncio.gather(*(other.start() for other in others))
    return zombie, task_id


async def _until_ended(
    worker: Process, task_id: UUID, within: float, wanted: Callable[[], int]
) -> None:
    try:
        async with asyncio.timeout(within):
            while len(_ends(worker, task_id)) < wanted():  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        told = f"{worker.name} did not end its run of {task_id} within {within} s"
        raise TimeoutError(f"{told}\n{worker.log()[-3000:]}") from None


def _ends(worker: Process, task_id: UUID) -> list[dict[str, Any]]:
    return list(_of(worker, "run_ended", task_id))


def _of(worker: Process, event: str, task_id: UUID) -> Iterator[dict[str, Any]]:
    return (said for said in worker.events(event) if said["task"] == str(task_id))


def _refuses(api: Process, run: str) -> bool:
    return any(said["run"] == run and not said["applied"] for said in api.events("report"))
