"""Whether a worker takes commands at all: its stage is asked before each pull."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from shared.stage.job import Choosy

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from shared.stage.job import Stage

LOOK_AGAIN: Final = timedelta(seconds=3)

log = structlog.get_logger(__name__)


class Pauses:
    """Keeps all slots of a worker from pulling while the stage wants no work.

    An answer that fails or does not come within ``look_again`` is a no: whoever cannot tell whether
    there is room had better not take more. Begin and end of a pause are logged, each once.
    """

    def __init__(
        self, stage: Stage, stopping: asyncio.Event, look_again: timedelta = LOOK_AGAIN
    ) -> None:
        """Ask this stage, again after ``look_again`` while it says no; give up when stopping."""
        self._stage = stage
        self._stopping = stopping
        self._look_again = look_again.total_seconds()
        self._paused = False
        self._log = log.bind(stage=stage.name)

    async def over(self) -> bool:
        """Wait until the stage wants work; False when the worker stops before that."""
        if not isinstance(self._stage, Choosy):
            return not self._stopping.is_set()
        while not self._stopping.is_set():
            if await self._is_ready(self._stage):
                return not self._stopping.is_set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_again):
                    await self._stopping.wait()
        return False

    async def _is_ready(self, stage: Choosy) -> bool:
        ready = await self._answer(stage.ready())
        if self._stopping.is_set():
            return False
        if isinstance(ready, BaseException):
            self._tell(paused=True, exc_info=ready)
            return False
        self._tell(paused=not ready)
        return ready

    async def _answer(self, question: Coroutine[Any, Any, bool]) -> bool | BaseException:
        """What the stage says or raises; no when it says nothing in time or the worker stops."""
        asking = asyncio.ensure_future(question)
        stopping = asyncio.ensure_future(self._stopping.wait())
        either: set[asyncio.Future[Any]] = {asking, stopping}
        try:
            await asyncio.wait(
                either, timeout=self._look_again, return_when=asyncio.FIRST_COMPLETED
            )
            if not asking.done():
                return False
            return asking.exception() or asking.result()
        finally:
            asking.cancel()
            stopping.cancel()

    def _tell(self, *, paused: bool, exc_info: BaseException | None = None) -> None:
        if paused != self._paused:
            self._paused = paused
            if paused:
                self._log.warning("worker_paused", exc_info=exc_info)
            else:
                self._log.info("worker_resumed")
