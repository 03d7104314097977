"""Tells workers at once that a generation is void; only a hint, they learn it by progress anyway.

Whoever voids a generation signals ``signals.cancel_topic`` after the commit.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from services.api.signals import CANCEL
from shared.bus import subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.stage import wire
from shared.stage.messages import CancelHint

if TYPE_CHECKING:
    from shared.bus.bus import Bus

MAX_WAITING: Final = 4096

_log = structlog.get_logger(__name__)


class Cancels:
    """Takes signals without waiting and sends the hints; when too many wait, the oldest go."""

    def __init__(self, bus: Bus) -> None:
        """Send over this bus."""
        self._bus = bus
        self._waiting: OrderedDict[UUID, int] = OrderedDict()
        self._noted = asyncio.Event()

    def notify(self, topic: str) -> None:
        """Take note of a cancel topic; every other one is ignored."""
        match topic.split(":"):
            case [prefix, task_id, generation] if prefix == CANCEL:
                self._waiting[UUID(task_id)] = int(generation)
                if len(self._waiting) > MAX_WAITING:
                    self._waiting.popitem(last=False)
                self._noted.set()

    async def run(self) -> None:
        """Send for ever; raises BusClosed when the connection is gone for good."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            while self._waiting:
                await self._send(*self._waiting.popitem(last=False))

    async def _send(self, task_id: UUID, generation: int) -> None:
        hint = wire.encode_cancel(CancelHint(generation))
        try:
            await self._bus.notify(subjects.cancel(task_id), hint, Envelope(type=wire.CANCEL))
        except BusUnavailable as error:
            _log.debug("cancel_unsent", task=str(task_id), error=repr(error))
