"""Driving a soak: wishes and faults by their plan, then peace, then the check."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from tests.support.faults.publishing import Publisher
from tests.support.faults.soak.faults import Breaker
from tests.support.faults.soak.work import Work

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from tests.support.faults.client import Client
    from tests.support.faults.soak.plan import Fault, Plan
    from tests.support.faults.system import System

RECOVER_SECONDS: Final = 60.0
# What was put off has to be done, and a busy machine takes so long for each inspection.
_SECONDS_PER_TASK: Final = 5.0
# A process without descriptors may say so at length.
_EXCUSED: Final = ("Too many open files",)
# A run that was killed leaves its key; a stopped store leaves what was being uploaded to it.
_ORPHANS_PER_FAULT: Final = 4


class Peaks:
    """The most memory and descriptors that a process of each role was seen with."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.rss: dict[str, int] = defaultdict(int)
        self.fds: dict[str, int] = defaultdict(int)

    async def watch(self, system: System) -> None:
        """Look each second, for ever."""
        while True:
            for each in system.services:
                role = each.name.rpartition("-")[0]
                with suppress(OSError, IndexError):  # it is dead just now
                    self.rss[role] = max(self.rss[role], each.rss_bytes())
                    self.fds[role] = max(self.fds[role], each.fds())
            await asyncio.sleep(1)

    def tell(self) -> None:
        """Say what was seen."""
        for role, rss in self.rss.items():
            _say(f"{role}: at most {rss >> 20} MiB and {self.fds[role]} descriptors")


async def soak(system: System, plan: Plan) -> None:
    """Carry out a plan; raises AssertionError when not everything ends as it must."""
    breaker, peaks = Breaker(system), Peaks()
    async with (
        _watched(peaks.watch(system)),
        system.client() as client,
        Publisher(system) as publisher,
    ):
        work = Work(system, client, publisher)
        async with _watched(breaker.keep_alive()):
            await _drive(plan, breaker, work)
        await _mend(system, breaker)
        try:
            await _recover(system, client, work)
        finally:
            _summary(system, plan, breaker, work)
            peaks.tell()
    await system.check(
        orphans=_ORPHANS_PER_FAULT * len(plan.faults),
        events_lost=breaker.wiped,
        epsilon=_bound(work),
        log_lines=_EXCUSED,
    )
    assert not work.surprises(), "\n".join(work.surprises())


@asynccontextmanager
async def _watched(watch: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have something running that has no end of its own; what it raises comes out."""
    watching = asyncio.create_task(watch)
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _drive(plan: Plan, breaker: Breaker, work: Work) -> None:
    began = time.monotonic()

    async def at(seconds: float, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
        await do()

    def fault_of(fault: Fault) -> Callable[[], Coroutine[Any, Any, None]]:
        async def do() -> None:
            _say(f"{fault.at:7.2f} s  {fault.kind:18} {fault.target:14} {fault.seconds:5.2f} s")
            await breaker.do(fault, list(work.made.values()))

        return do

    async with asyncio.TaskGroup() as group:
        for wish in plan.wishes:
            group.create_task(at(wish.at, lambda wish=wish: work.do(wish)))  # type: ignore[misc] # bound now
        for fault in plan.faults:
            group.create_task(at(fault.at, fault_of(fault)))


async def _mend(system: System, breaker: Breaker) -> None:
    for link in system.links.values():
        link.heal()
    for each in system.processes:
        await breaker.start(each)
    system.end_fault()


async def _recover(system: System, client: Client, work: Work) -> None:
    began = time.monotonic()
    work.ended = await client.all_final(within=_bound(work))
    _say(f"all final {system.ledger.finished_at - began:.1f} s after the last fault")
    await work.all_published(_bound(work))
    _say(f"{len(work.renditions)} published {time.monotonic() - began:.1f} s after it")


def _bound(work: Work) -> float:
    """In how many seconds everything must be final once nothing is broken any more."""
    return RECOVER_SECONDS + _SECONDS_PER_TASK * len(work.made)


def _summary(system: System, plan: Plan, breaker: Breaker, work: Work) -> None:
    deleted = len(system.ledger.tasks) - len(system.ledger.living)
    _say(f"faults: {_counted(fault.kind for fault in plan.faults)}")
    _say(f"tasks: {_counted(work.ended.values())}; deleted {deleted}; refused {work.refused}")
    _say(f"restarts: {breaker.restarts}; died of themselves: {_counted(breaker.died_alone)}")


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{word} {n}" for word, n in sorted(Counter(words).items())) or "none"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
