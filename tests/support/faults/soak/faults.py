"""Doing one fault to a running system, for its time, and mending it."""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from shared.bus import subjects
from shared.bus.bus import Bus
from shared.bus.envelope import Envelope
from shared.bus.errors import BusError
from shared.bus.roles import Role
from shared.problems import Problem, Severity
from shared.stage import wire
from shared.stage.job import Refused
from shared.stage.messages import Command, Report
from tests.support.faults.soak.plan import POSTGRES

if TYPE_CHECKING:
    from uuid import UUID

    from tests.support.faults.process import Process
    from tests.support.faults.soak.plan import Fault
    from tests.support.faults.system import System

START_TRIES: Final = 10
_LIE: Final = Problem(code="lie", severity=Severity.ERROR, detail="No run has ever said this.")


class Breaker:
    """Breaks a system and mends it; ``restarts`` counts the starts, ``wiped`` if the broker was."""

    def __init__(self, system: System) -> None:
        """Break this one."""
        self._system = system
        self._named = {each.name: each for each in system.processes}
        self._busy: set[str] = set()
        self.restarts = 0
        self.wiped = False
        self.died_alone: list[str] = []

    async def do(self, fault: Fault, ids: list[UUID]) -> None:
        """One fault from its beginning to its end."""
        self._busy.add(fault.target)
        try:
            await self._do(fault, ids)
        finally:
            self._busy.discard(fault.target)

    async def _do(self, fault: Fault, ids: list[UUID]) -> None:
        match fault.kind:
            case "kill" | "wipe":
                await self._kill(fault)
            case "freeze":
                await self._freeze(self._named[fault.target], fault.seconds)
            case "term":
                await self._term(self._named[fault.target], fault.seconds)
            case "drop" | "blackhole" | "slow":
                await self._cut(fault)
            case "squeeze":
                await self._squeeze(self._named[fault.target], fault.seconds)
            case _ if ids:
                await self._say(fault.kind, ids[int(fault.at * 100) % len(ids)])

    async def keep_alive(self) -> None:
        """Start what died without having been killed, as any supervisor would; for ever."""
        while True:
            for each in self._system.services:
                if not each.is_running and each.name not in self._busy:
                    self.died_alone.append(each.name)
                    await self.start(each)
            await asyncio.sleep(0.2)

    async def start(self, process: Process) -> None:
        """Start a process, again and again when what it needs is away."""
        self.restarts += 1
        for _ in range(START_TRIES):
            with suppress(RuntimeError):
                if not process.is_running:
                    await process.start()
                return
            await asyncio.sleep(0.5)
        await process.start()

    async def _kill(self, fault: Fault) -> None:
        if fault.target == POSTGRES:
            assert self._system.postgres is not None
            self._system.postgres.kill()
            await asyncio.sleep(fault.seconds)
            self._system.postgres.start()
            self.restarts += 1
            return
        process = self._named[fault.target]
        process.kill()
        if fault.kind == "wipe":
            self._system.wipe_broker()
            self.wiped = True
        await asyncio.sleep(fault.seconds)
        await self.start(process)

    async def _freeze(self, process: Process, seconds: float) -> None:
        if process.is_running:
            process.stop()
            await asyncio.sleep(seconds)
            process.cont()

    async def _term(self, process: Process, seconds: float) -> None:
        if process.is_running:
            with suppress(TimeoutError):
                await process.term()
            process.kill()
        await asyncio.sleep(min(seconds, 1))
        await self.start(process)

    async def _cut(self, fault: Fault) -> None:
        link = self._system.link(fault.target)
        match fault.kind:
            case "drop":
                link.drop()
            case "blackhole":
                link.blackhole()
            case _:
                link.slow(delay=0.2)
        await asyncio.sleep(fault.seconds)
        link.heal()

    async def _squeeze(self, process: Process, seconds: float) -> None:
        """Let a process open hardly anything more for a while."""
        # Without any left Python cannot even start, and says so by a traceback of its own.
        if not (process.is_running and process.is_ready()):
            return
        old = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.fds() + 2, old[1]))
        await asyncio.sleep(seconds)
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, old)

    async def _say(self, kind: str, id_: UUID) -> None:
        """Say something stale or twice about a task; a broker that is away hears nothing."""
        with suppress(BusError, TimeoutError):
            async with asyncio.timeout(5):
                await (self._lie(id_) if kind == "stale report" else self._repeat(id_))

    async def _lie(self, id_: UUID) -> None:
        bus = await Bus.connect(self._system.nats_url(Role.DOWNLOADER), Role.DOWNLOADER)
        try:
            report = wire.encode_report(Report(1, uuid4(), Refused(problems=(_LIE,))))
            for _ in range(2):
                envelope = Envelope(type=wire.REPORT, id=str(uuid4()))
                await bus.publish(subjects.report("download", id_), report, envelope)
        finally:
            await bus.close()

    async def _repeat(self, id_: UUID) -> None:
        bus = await Bus.connect(self._system.nats_url(Role.API), Role.API)
        try:
            for stage in ("download", "validate"):
                with suppress(BusError):  # one of it is under way, which is as good
                    envelope = Envelope(type=wire.COMMAND, id=str(uuid4()))
                    command = wire.encode_command(Command(id_, 1))
                    await bus.publish(subjects.work(stage, id_, 1), command, envelope)
        finally:
            await bus.close()
