"""The worker: takes commands when it has a free slot, asks for the claim, runs the stage."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from shared.bus import streams, subjects
from shared.bus.errors import BusUnavailable
from shared.failpoints import reach
from shared.stage import wire
from shared.stage.claiming import Claims
from shared.stage.job import Released
from shared.stage.messages import Go, Later, Stop
from shared.stage.pausing import LOOK_AGAIN, Pauses
from shared.stage.run import Run

if TYPE_CHECKING:
    from uuid import UUID

    from shared.bus.bus import Bus
    from shared.bus.pull import Delivery, Puller
    from shared.bus.serve import Request
    from shared.stage.job import Stage
    from shared.stage.messages import Command

SHUTDOWN: Final = "shutdown"

# A pull is never cut short, as that would cost its message a redelivery: so a stop waits for it.
_PULL_WAIT: Final = timedelta(seconds=0.5)
_TROUBLE_SECONDS: Final = 0.5
_UNHEARD_DELAY: Final = timedelta(seconds=2)
_UNKNOWN_DELAY: Final = timedelta(seconds=10)
# An hour. Who rolls back has no newer workers to come, and a command keeps its subject taken.
_UNKNOWN_DELIVERIES: Final = 360
_Key = tuple["UUID", int]

log = structlog.get_logger(__name__)


class Worker:
    """Runs one stage, in as many slots as there may be runs at once.

    ``grace`` bounds how long a stop may take to cancel the runs and give their claims back;
    ``answer_within`` how long the API may take to answer a claim before it is asked again;
    ``look_again`` after what time a stage that wants no work is asked again (see ``Choosy``).
    """

    def __init__(
        self,
        bus: Bus,
        stage: Stage,
        *,
        slots: int = 1,
        grace: timedelta = timedelta(seconds=10),
        answer_within: timedelta = timedelta(seconds=2),
        look_again: timedelta = LOOK_AGAIN,
    ) -> None:
        """Work on this stage, whose commands the durable consumer of the same name holds."""
        self._bus = bus
        self._stage = stage
        self._slots = slots
        self._grace = grace
        self._claims = Claims(bus, stage.name, answer_within)
        # None while the claim is asked for.
        self._runs: dict[_Key, Run | None] = {}
        self._stopping = asyncio.Event()
        self._cut_off = False
        self._pauses = Pauses(stage, self._stopping, look_again)
        self._log = log.bind(stage=stage.name)

    def stop(self) -> None:
        """Take no more commands and give the claims of the present runs back."""
        self._stopping.set()
        for run in self._runs.values():
            if run is not None:
                run.end(Released(reason=SHUTDOWN))

    async def run(self) -> None:
        """Work until ``stop``; raises BusClosed when the connection is gone for good."""
        self._log.info("worker_started", slots=self._slots)
        async with self._bus.serving(subjects.ALL_CANCELS, self._cancelled):
            slots = [asyncio.create_task(self._slot()) for _ in range(self._slots)]
            try:
                await self._until_done(slots)
            finally:
                for slot in slots:
                    slot.cancel()
                await asyncio.gather(*slots, return_exceptions=True)
        self._log.info("worker_stopped")

    async def _until_done(self, slots: list[asyncio.Task[None]]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopping, *slots}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stopping.is_set():
            _, late = await asyncio.wait(slots, timeout=self._grace.total_seconds())
            if late:
                self._log.error("worker_stop_cut_short", runs=len(late))
        for slot in slots:
            if slot.done():
                slot.result()

    async def _slot(self) -> None:
        async with self._bus.pulling(streams.WORK, self._stage.name) as puller:
            while await self._pauses.over():
                for delivery in await self._pull(puller):
                    await self._take(delivery)

    async def _pull(self, puller: Puller) -> list[Delivery]:
        try:
            pulled = await puller.pull(1, _PULL_WAIT)
        except BusUnavailable as error:
            # Without its consumer there is nothing to do but wait for the API to make it anew.
            if not self._cut_off:  # once, not for each slot and each try
                self._log.warning("no_commands", error=repr(error))
            self._cut_off = True
            await asyncio.sleep(_TROUBLE_SECONDS)
            return []
        if self._cut_off:
            self._log.info("commands_again")
        self._cut_off = False
        return pulled

    async def _take(self, delivery: Delivery) -> None:
        try:
            wire.expect(delivery.type, wire.COMMAND)
            command = wire.decode_command(delivery.payload)
        except wire.UnknownType as error:
            # A newer API's, perhaps, whose newer workers are on their way.
            self._log.warning("command_unknown", subject=delivery.subject, error=str(error))
            if delivery.number >= _UNKNOWN_DELIVERIES:
                return await delivery.term()
            return await delivery.nak(_UNKNOWN_DELAY)
        except wire.MalformedMessage as error:
            self._log.error("command_malformed", subject=delivery.subject, error=str(error))
            return await delivery.term()
        key = (command.task_id, command.generation)
        if key in self._runs:
            return await self._redelivered(key, delivery)
        self._runs[key] = None
        try:
            await self._claim(command, key, delivery)
        finally:
            del self._runs[key]
        return None

    async def _redelivered(self, key: _Key, delivery: Delivery) -> None:
        run = self._runs[key]
        if run is None:
            await delivery.nak(_UNHEARD_DELAY)
        else:
            run.adopt(delivery)

    async def _claim(self, command: Command, key: _Key, delivery: Delivery) -> None:
        if self._stopping.is_set():
            return await delivery.nak()
        # Counted from before the request, so that this clock runs out before that of the API.
        asked = asyncio.get_running_loop().time()
        run_id, reply = await self._claims.ask(command, delivery.traceparent)
        match reply:
            case Go():
                reach("worker.claimed")
                deadline = asked + reply.deadline.total_seconds()
                run = Run(self._bus, self._stage, reply, delivery, deadline=deadline)
                await self._execute(key, run)
            case Later(delay=delay):
                await delivery.nak(delay)
            case Stop(reason=reason):
                self._log.info("command_void", task=str(key[0]), run=str(run_id), reason=reason)
                await delivery.ack()
            case None:
                await delivery.nak(_UNHEARD_DELAY)
        return None

    async def _execute(self, key: _Key, run: Run) -> None:
        self._runs[key] = run
        if self._stopping.is_set():
            run.end(Released(reason=SHUTDOWN))
        await run.execute()

    async def _cancelled(self, request: Request) -> None:
        task_id = subjects.parse_cancel(request.subject)
        wire.expect(request.type, wire.CANCEL)
        hint = wire.decode_cancel(request.payload)
        for (task, generation), run in self._runs.items():
            if run is not None and task == task_id and generation <= hint.generation:
                run.end(None)
