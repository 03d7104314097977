"""Asking for the claim: the same run asks again until it is heard."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import structlog
from uuid_utils.compat import uuid7

from shared.bus import subjects
from shared.bus.envelope import Envelope
from shared.bus.errors import BusUnavailable
from shared.stage import wire
from shared.stage.messages import ClaimRequest

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from shared.bus.bus import Bus
    from shared.stage.messages import ClaimReply, Command

_TRIES: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.25
_REMEMBERED: Final = 1024

log = structlog.get_logger(__name__)


class Claims:
    """Asks for claims in the name of one stage.

    A run whose answer was lost may hold the claim already, so its id is remembered until an answer
    is heard: the redelivered command asks with the same one.
    """

    def __init__(self, bus: Bus, stage: str, answer_within: timedelta) -> None:
        """Ask over this bus for this stage, each time waiting so long for the answer."""
        self._bus = bus
        self._stage = stage
        self._answer_within = answer_within
        self._unheard: OrderedDict[tuple[UUID, int], UUID] = OrderedDict()

    async def ask(self, command: Command, traceparent: str) -> tuple[UUID, ClaimReply | None]:
        """The run's id and the API's decision; None when nobody answered, for now."""
        key = (command.task_id, command.generation)
        request = ClaimRequest(command.generation, self._run_id(key))
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**number)
            reply = await self._once(command, request, traceparent)
            if reply is not None:
                self._unheard.pop(key, None)
                return request.run_id, reply
        return request.run_id, None

    async def _once(
        self, command: Command, request: ClaimRequest, traceparent: str
    ) -> ClaimReply | None:
        try:
            answer = await self._bus.request(
                subjects.claim(self._stage, command.task_id),
                wire.encode_claim(request),
                Envelope(type=wire.CLAIM, traceparent=traceparent),
                wait=self._answer_within,
            )
            return wire.decode_claim_reply(answer, command.task_id, request)
        except (BusUnavailable, wire.MalformedMessage) as error:
            log.info("claim_unanswered", run=str(request.run_id), error=repr(error))
            return None

    def _run_id(self, key: tuple[UUID, int]) -> UUID:
        run_id = self._unheard.setdefault(key, uuid7())
        if len(self._unheard) > _REMEMBERED:
            self._unheard.popitem(last=False)
        return run_id
